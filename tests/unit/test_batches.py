from __future__ import annotations

from pluginyard.batches import PUBLISHED_NOW, PlannedPlugin, RepositoryPlan, State
from pluginyard.releases import Release


def planned(name: str, state: State, reason: str) -> PlannedPlugin:
    return PlannedPlugin(Release(language="go", name=name, version="1.0.0", tag=""), state, reason)


def test_a_report_begins_with_what_somebody_has_to_look_at() -> None:
    plan = RepositoryPlan(
        (
            planned("a", "published", "same fingerprint"),
            planned("b", "failed", "the build failed"),
            planned("c", "published", PUBLISHED_NOW),
            planned("d", "refused", "taken"),
            planned("e", "published", "same fingerprint"),
        )
    )
    assert [row["plugin"] for row in plan.report_rows()] == ["b", "d", "c", "a", "e"]
    assert [row["plugin"] for row in plan.rows()] == ["a", "b", "c", "d", "e"], "a plan is in the order of its work"
