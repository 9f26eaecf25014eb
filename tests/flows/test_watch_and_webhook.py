"""The watch of tags and the receiver's runs on Prefect's test server: one run for a tag, whoever is first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Failed

from deployments.receiver.runs import StartedRun, start_run
from flows.watch_tags import watch_tags
from pluginyard.forms import WatchRequest
from pluginyard.releases import release_key
from pluginyard.webhooks import Delivery, judge_delivery
from tests.machine.example_repository import git
from tests.machine.github import REPOSITORY, SECRET, call, sent, tag_event
from tests.machine.judged import GITHUB, ORG_SECRET, trusted
from tests.machine.watched import FORGE, TAG, release, runs_of, set_state, states


@pytest.fixture
def at_site(hosted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WatchRequest:
    """Return the watch of FORGE as its deployment asks for it: the site says where to publish."""
    monkeypatch.setenv("PLUGINYARD_REGISTRIES", f"oci:{tmp_path / 'out'}")
    return WatchRequest(repositories=[FORGE], newer_than_days=0)


def delivered(event: str, tag: str, commit: str) -> StartedRun:
    """Start what a webhook of a repository with FORGE as its mirror asks for."""
    kinds = {"push": "push-tag-created", "create": "create-tag", "release": "release-published"}
    changed = {"head_commit": {"id": commit}} if event == "push" else {}
    delivery = sent(event, tag_event(kinds[event], tag, **changed))
    headers = {name.lower(): text for name, text in delivery.headers.items()}
    judged = judge_delivery(GITHUB, headers, delivery.body, {REPOSITORY.lower(): trusted(SECRET, clone_url=FORGE)})
    assert isinstance(judged, Delivery)
    return started(judged)


def started(delivery: Delivery) -> StartedRun:
    return asyncio.run(start_run("publish-plugin/on-tag", delivery, 8))


def test_a_watch_and_the_webhooks_of_a_tag_are_one_run_whoever_is_first(
    hosted: Path, at_site: WatchRequest, deployment: UUID
) -> None:
    found = watch_tags(at_site)["tags"][0]
    assert found["state"] == "started"
    later = [delivered(event, TAG, git(hosted, "rev-parse", "HEAD")) for event in ("push", "create", "release")]
    assert {(str(run.id), run.is_new) for run in later} == {(found["run"], False)}

    second = release(hosted, "1.0.1")
    theirs = delivered("push", second, git(hosted, "rev-parse", "HEAD"))
    row = next(row for row in watch_tags(at_site)["tags"] if row["tag"] == second)
    assert (theirs.is_new, row["state"], row["run"]) == (True, "under way", str(theirs.id))

    third = release(hosted, "1.0.2")
    theirs = delivered("create", third, "")
    row = next(row for row in watch_tags(at_site)["tags"] if row["tag"] == third)
    assert (theirs.is_new, row["run"]) == (True, str(theirs.id))
    assert len(runs_of(deployment)) == 3


def test_a_tag_set_again_is_one_run_more_whoever_sees_it_first(
    hosted: Path, at_site: WatchRequest, deployment: UUID
) -> None:
    watch_tags(at_site)
    set_state(runs_of(deployment)[0], Failed(message="BuildError"))
    assert states(watch_tags(at_site)) == {TAG: "halted"}
    git(hosted, "commit", "--quiet", "--allow-empty", "--message", "fixed")
    git(hosted, "tag", "--force", TAG)
    found = watch_tags(at_site)["tags"][0]
    assert found["state"] == "started"
    theirs = delivered("push", TAG, git(hosted, "rev-parse", "HEAD"))
    assert (str(theirs.id), theirs.is_new) == (found["run"], False)
    assert len(runs_of(deployment)) == 2


def called(version: str) -> Delivery:
    """Return a manual call under an id of its own; its body says nothing new."""
    delivery = sent(
        "workflow_dispatch", call("workflow-dispatch", {"plugin_name": "a", "version": version}), ORG_SECRET
    )
    headers = {name.lower(): text for name, text in delivery.headers.items()}
    judged = judge_delivery(GITHUB, headers, delivery.body, {"*": trusted(ORG_SECRET)})
    assert isinstance(judged, Delivery)
    return judged


def test_a_manual_call_that_comes_again_starts_nothing_until_its_run_failed(deployment: UUID) -> None:
    first, again = started(called("1.0.0")), started(called("1.0.0"))
    assert (again.id, first.is_new, again.is_new) == (first.id, True, False)
    for _ in range(2):
        set_state(runs_of(deployment)[0], Failed(message="RegistryUnavailableError"))
        second = started(called("1.0.0"))
        assert (second.is_new, second.id != first.id) == (True, True)
        assert started(called("1.0.0")).id == second.id
    assert started(called("1.0.1")).is_new
    assert len(runs_of(deployment)) == 4


def test_what_the_receiver_started_is_not_started_again_for_other_registries(
    hosted: Path, tmp_path: Path, deployment: UUID
) -> None:
    with get_client(sync_client=True) as client:
        theirs = client.create_flow_run_from_deployment(
            deployment,
            idempotency_key=release_key(FORGE, TAG),
            labels={"github.commit": git(hosted, "rev-parse", "HEAD")},
        )
    elsewhere = WatchRequest(repositories=[FORGE], registries=[f"oci:{tmp_path / 'out'}"], newer_than_days=0)
    found = watch_tags(elsewhere)["tags"][0]
    assert (found["state"], found["run"]) == ("under way", str(theirs.id))
    git(hosted, "commit", "--quiet", "--allow-empty", "--message", "later")
    git(hosted, "tag", "--force", TAG)
    assert states(watch_tags(elsewhere)) == {TAG: "started"}, "theirs is of the older commit"
