from __future__ import annotations

import pytest

from pluginyard.errors import BatchError, BuildError, EngineUnavailableError, InternalError, SourceError
from pluginyard.releases import PUBLISHED_NOW, PlannedPlugin, PluginBuild, Release, RepositoryPlan
from pluginyard.releases.batch import PluginState, keep_changed, named_by_content, plan_plugins, refuse_twins
from pluginyard.versions import choose_latest
from tests.unit.releases.test_plan import FILES, GO, plan


def planned(name: str, state: PluginState, reason: str) -> PlannedPlugin:
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


def test_whatever_happens_while_one_plugin_is_planned_holds_back_no_other() -> None:
    def plan_one(release: Release) -> PluginBuild:
        if release.name == "unfit":
            raise SourceError("it has no go.mod", subject="unfit", remedy="add one")
        if release.name == "fault":
            raise TypeError("unhashable type")
        return plan()

    found = plan_plugins([Release("go", name) for name in ("unfit", "fault", "request-block")], plan_one)
    assert [plugin.state for plugin in found.plugins] == ["refused", "failed", "build"]
    assert found.plugins[1].reason == "a fault of pluginyard: TypeError: unhashable type"
    assert isinstance(found.plugins[1].error, InternalError)
    with pytest.raises(BatchError, match="2 of 3 plugins are not published"):
        found.raise_for_failures("acme")


def test_a_run_that_is_ended_while_it_plans_ends() -> None:
    def cancelled(release: Release) -> PluginBuild:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_plugins([Release("go", "a")], cancelled)


def test_what_failed_alike_is_told_once() -> None:
    gone = EngineUnavailableError("the engine is gone", subject="engine", remedy="start it")
    alike = tuple(planned(f"p{number}", "build", "").failed(gone) for number in range(60))
    other = planned("other", "build", "").failed(BuildError("it does not compile", subject="other", remedy="fix it"))
    with pytest.raises(BatchError) as failure:
        RepositoryPlan((*alike, other)).raise_for_failures("acme")
    told = str(failure.value)
    assert "61 of 61 plugins" in told
    assert told.count("the engine is gone") == 1
    assert "p0 1.0.0, p1 1.0.0" in told
    assert "and 40 more: engine: the engine is gone" in told
    assert "other 1.0.0: other: it does not compile" in told


def test_a_plugin_without_a_version_is_named_by_its_content_and_latest_stays() -> None:
    bare = {path: text for path, text in FILES.items() if not path.endswith("VERSION")}
    first, later = (named_by_content(plan(bare)), named_by_content(plan(bare | {"LICENSE": "another commit"})))
    short = first.fingerprint.removeprefix("sha256:")[:12]
    assert first.release.version == later.release.version == f"0.0.0-snapshot.f{short}"
    assert not choose_latest(first.release.version).move
    assert named_by_content(plan(bare | {f"{GO}/main.go": "changed"})).release.version != first.release.version
    assert named_by_content(plan()).release.version == "1.2.3"


def of(*builds: PlannedPlugin) -> RepositoryPlan:
    return RepositoryPlan(builds)


def test_what_would_be_built_otherwise_has_changed_whatever_the_reason() -> None:
    def one(**fields: object) -> RepositoryPlan:
        return plan_plugins([Release("go", "request-block")], lambda _: plan(**fields))  # type: ignore[arg-type]

    tidy = {**FILES, "pluginyard.yaml": "tidy: true"}
    tinygo = {**FILES, "pluginyard.yaml": "plugins: {request-block: {builder: tinygo}}"}
    licence = {**FILES, "LICENSE": "another"}
    for files, is_kept in ((tidy, True), (tinygo, True), (licence, False)):
        assert bool(keep_changed(one(files=files), one(), lambda _: False).plugins) is is_kept


def test_an_unfit_plugin_that_did_not_change_fails_no_run() -> None:
    unfit = planned("a", "build", "").refused(SourceError("it has no go.mod", subject="a", remedy="add one"))
    other = planned("a", "build", "").refused(SourceError("it has no main.go", subject="a", remedy="add one"))
    fit = planned("a", "build", "not published yet")
    assert not keep_changed(of(unfit), of(unfit), lambda _: False).plugins
    assert keep_changed(of(unfit), of(unfit), lambda _: True).plugins, "its files are others"
    assert keep_changed(of(unfit), of(other), lambda _: False).plugins
    assert keep_changed(of(unfit), of(fit), lambda _: False).plugins


def test_twins_are_refused_by_language_and_name() -> None:
    error = SourceError("two would be published under one name", subject="a", remedy="rename one")
    found = refuse_twins(of(planned("a", "build", ""), planned("b", "build", "")), {("go", "a"): error})
    assert [plugin.state for plugin in found.plugins] == ["refused", "build"]
