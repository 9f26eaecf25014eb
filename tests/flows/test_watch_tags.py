"""The watch of tags on Prefect's test server, into layout folders, with this machine's toolchain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.states import Failed

from flows.watch_tags import watch_tags
from pluginyard.errors import BatchError
from pluginyard.forms import WatchRequest
from tests.machine.example_repository import commit, git
from tests.machine.watched import FOLDER, TAG, release, runs_of, set_state, states


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second version of the same plugin take what the first compiled."""
    monkeypatch.setenv("PLUGINYARD_BUILD_CACHE", "shared")


def watch(*repositories: Path | str, out: Path | str, **fields: Any) -> dict[str, Any]:
    places = [f"oci:{out}"] if isinstance(out, Path) else [out]
    texts = [str(repository) for repository in repositories]
    return watch_tags(
        WatchRequest(repositories=texts, registries=places, **{"newer_than_days": 0, "plain_http": True, **fields})
    )


def publish_runs() -> int:
    with get_client(sync_client=True) as client:
        return len(client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=["publish-plugin"]))))


def index(layout: Path) -> dict[str, str]:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    return {
        entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
        for entry in entries
        if "annotations" in entry
    }


def test_a_new_tag_is_published_once_and_a_watch_that_begins_anew_publishes_nothing(
    small: Path, tmp_path: Path, shared_cache: Path
) -> None:
    url = f"file://{small}"
    assert states(watch(url, out=tmp_path / "out")) == {TAG: "published"}
    digest = index(tmp_path / "out")["request-block-1.0.0"]
    before = publish_runs()
    shutil.rmtree(shared_cache / "mirrors")  # nothing a watch remembers is on its machine
    again = watch(url, out=tmp_path / "out")
    assert again["tags"][0]["why"] == "published from this commit"
    new = release(small, "1.1.0")
    third = watch(url, out=tmp_path / "out")
    assert {row["tag"]: row["why"].partition(":")[0] for row in third["tags"]} == {
        TAG: "published from this commit",
        new: "published now",
    }
    assert publish_runs() == before + 1
    assert index(tmp_path / "out")["request-block-1.0.0"] == digest
    assert watch(url, out=tmp_path / "out", newer_than_days=30)["summary"] == "2 older"


def test_tags_that_are_no_release_or_too_old_or_not_asked_for_start_nothing(
    small: Path, tmp_path: Path, deployment: UUID
) -> None:
    for tag in ("wasm-go-request-block-v2", "v1.0.0", "wasm-rust-thing-v1.0.0"):
        git(small, "tag", tag)
    git(small, "tag", "wasm-go-request-block-v9.9.9", "HEAD^{tree}")
    found = watch(small, out=tmp_path / "out", tags="wasm-go-*")
    assert states(found) == {TAG: "started", "wasm-go-request-block-v2": "ignored"}
    ignored = next(row for row in found["tags"] if row["state"] == "ignored")
    assert "nearest: wasm-go-request-block-v2.0.0" in ignored["why"]
    old = watch(small, out=tmp_path / "out", newer_than_days=30)
    assert old["summary"] == "2 too old, 1 older"
    assert {row["tag"] for row in old["tags"]} == {TAG, "wasm-rust-thing-v1.0.0"}
    assert all("start publish-plugin/on-demand with it" in row["why"] for row in old["tags"])
    assert len(runs_of(deployment)) == 1


def test_the_deployment_is_started_once_for_a_commit_whatever_becomes_of_its_run(
    small: Path, tmp_path: Path, deployment: UUID
) -> None:
    url = f"file://{small}"
    assert states(watch(url, out=tmp_path / "out")) == {TAG: "started"}
    (run,) = runs_of(deployment)
    assert run.parameters == {
        "request": {"repository": url, "tag": TAG, "registries": [f"oci:{tmp_path / 'out'}"], "plain_http": True}
    }
    assert run.idempotency_key == f"{url}@{TAG}@{git(small, 'rev-parse', 'HEAD')}"
    assert run.parent_task_run_id is None, "it outlives the watch"
    assert states(watch(url, out=tmp_path / "out")) == {TAG: "under way"}
    set_state(run, Failed(message="VerdictError"))
    halted = watch(url, out=tmp_path / "out")["tags"][0]
    assert (halted["state"], halted["run"]) == ("halted", str(run.id))
    assert "retry that run, or publish the tag by hand" in halted["why"]
    assert len(runs_of(deployment)) == 1

    release(small, "1.0.1")
    git(small, "tag", "--force", TAG)
    assert states(watch(url, out=tmp_path / "out"))[TAG] == "started", "another commit is another release"


def test_a_tag_that_was_moved_after_its_release_is_told_of_and_published_as_it_was(small: Path, tmp_path: Path) -> None:
    watch(small, out=tmp_path / "out")
    before = index(tmp_path / "out")
    first = git(small, "rev-parse", "HEAD")
    (small / FOLDER / "README.md").write_text("other\n")
    commit(small, "other content")
    git(small, "tag", "--force", TAG)
    moved = watch(small, out=tmp_path / "out")["tags"][0]
    assert moved["state"] == "moved"
    assert f"request-block-1.0.0 was published from commit {first[:12]} and stays" in moved["why"]
    assert index(tmp_path / "out") == before


def test_a_repository_or_registry_that_fails_holds_back_no_other(small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "out"
    broken.mkdir()
    (broken / "index.json").write_text("no json")
    (broken / "oci-layout").write_text("{}")
    with pytest.raises(BatchError) as failure:
        watch("https://127.0.0.1:9/no/such.git", small, tmp_path / "nowhere", out=broken)
    assert failure.value.exit_code == 12
    text = str(failure.value)
    for part in (
        "3 of 3",
        "https://127.0.0.1:9/no/such.git",
        "nowhere: there is no such folder",
        "index.json is damaged",
    ):
        assert part in text
    (broken / "index.json").unlink()
    with pytest.raises(BatchError, match="1 of 2"):
        watch("https://127.0.0.1:9/no/such.git", small, out=broken)
    assert "request-block-1.0.0" in index(broken)


def test_a_release_that_failed_here_is_not_tried_again_by_every_watch(small: Path, tmp_path: Path) -> None:
    (small / FOLDER / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    bad = release(small, "1.1.0")
    with pytest.raises(BatchError, match="undefined: nonsense"):
        watch(small, out=tmp_path / "out")
    before = publish_runs()
    again = watch(small, out=tmp_path / "out")
    assert states(again) == {TAG: "published", bad: "halted"}
    assert publish_runs() == before


def test_without_the_deployment_a_watch_may_be_told_to_fail(small: Path, tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="no such deployment") as failure:
        watch(small, out=tmp_path / "out", without_deployment="fail")
    assert "deployments.register --deploy" in str(failure.value)
    assert not (tmp_path / "out").exists()


def test_the_watch_leaves_a_table(small: Path, tmp_path: Path, deployment: UUID) -> None:
    from prefect.artifacts import Artifact

    watch(small, out=tmp_path / "out")
    found = Artifact.get("watched-tags")
    assert found is not None
    (row,) = json.loads(str(found.data))
    assert (row["tag"], row["state"]) == (TAG, "started")
