"""The second publish of a release changes nothing; other content under its version is refused."""

from __future__ import annotations

import time
from pathlib import Path

from tasks.doors.containers import Engine
from tests.machine.command_line import CommandLine
from tests.machine.engine_records import EngineRecords
from tests.machine.example_repository import commit, git
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import RunningRegistry
from tests.machine.stored import new_shelf

TAG = "wasm-go-request-block-v1.0.0"
# The promise is 3 s on an idle machine, and measured by benchmarks/; here the machine may be busy.
GENEROUS_SECONDS = 10


def test_a_second_publish_changes_nothing_creates_no_container_and_is_quick(
    command_line: CommandLine,
    example_repository: Path,
    basic_registry: RunningRegistry,
    prefect_server: PrefectServer,
    engine: Engine,
) -> None:
    user, shelf = command_line.with_credentials(basic_registry), new_shelf(basic_registry)
    records = EngineRecords(engine, user)
    began = time.time()
    first = user.publish(example_repository, TAG, shelf.destination)
    assert first.json["published"] is True
    assert records.created(first.pid, began), "or this test could not see a container"
    before = shelf.snapshot()

    second = user.publish(example_repository, TAG, shelf.destination)
    assert second.exit_code == 0, second.stderr
    there = {**first.json["registries"][0], "state": "already-there", "latest": "kept: it is 1.0.0 already"}
    assert second.json == {**first.json, "published": False, "registries": [there]}
    assert shelf.snapshot() == before
    assert records.created(second.pid, began) == []
    run = prefect_server.newest_run(f"publish {TAG}")
    names = [item["name"].split()[0] for item in prefect_server.task_runs(run["id"])]
    assert "build-module" not in names
    assert "verify-artifact" in names, "what is there is looked at again"
    assert run["total_run_time"] < GENEROUS_SECONDS


def test_a_second_publish_into_three_registries_changes_none_of_them(
    shared_command_line: CommandLine,
    example_repository: Path,
    open_registry: RunningRegistry,
    basic_registry: RunningRegistry,
    token_registry: RunningRegistry,
) -> None:
    shelves = [new_shelf(registry) for registry in (open_registry, basic_registry, token_registry)]
    user = shared_command_line.with_credentials(basic_registry, token_registry)
    places = [shelf.destination for shelf in shelves]
    assert user.published(example_repository, TAG, *places)["published"] is True
    before = [shelf.snapshot() for shelf in shelves]
    again = user.published(example_repository, TAG, *places)
    assert again["published"] is False
    assert [place["state"] for place in again["registries"]] == ["already-there"] * 3
    assert [shelf.snapshot() for shelf in shelves] == before


def test_a_published_release_is_recognised_by_another_user_who_has_built_nothing(
    command_line: CommandLine,
    shared_command_line: CommandLine,
    example_repository: Path,
    open_registry: RunningRegistry,
    engine: Engine,
) -> None:
    shelf, began = new_shelf(open_registry), time.time()
    first = shared_command_line.published(example_repository, TAG, shelf.destination)
    again = command_line.publish(example_repository, TAG, shelf.destination)
    assert again.exit_code == 0, again.stderr
    assert again.json["published"] is False
    assert again.json["digest"] == first["digest"]
    assert EngineRecords(engine, command_line).created(again.pid, began) == []


def test_other_content_under_a_published_version_is_refused_and_nothing_moves(
    shared_command_line: CommandLine, tmp_path: Path, example_repository: Path, open_registry: RunningRegistry
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(example_repository), str(clone))
    shelf = new_shelf(open_registry)
    release = "request-block=1.0.0"
    first = shared_command_line.published(clone, release, shelf.destination)
    (clone / "plugins/wasm-go/extensions/request-block/README.md").write_text("other\n")
    commit(clone, "other content")
    before = shelf.snapshot()

    refused = shared_command_line.publish(clone, release, shelf.destination)
    assert refused.exit_code == 9
    assert refused.error["type"] == "VersionTakenError"
    assert refused.error["subject"] == f"{shelf.destination}/request-block:1.0.0"
    assert first["digest"] in refused.error["message"]
    assert refused.error["remedy"].startswith("release a new version")
    assert shelf.snapshot() == before

    moved = shared_command_line.published(clone, release, shelf.destination, more=("--overwrite",))
    assert moved["digest"] != first["digest"]
    assert shelf.tags["request-block:1.0.0"] == moved["digest"]


def test_an_older_release_does_not_move_latest_back(
    shared_command_line: CommandLine, tmp_path: Path, example_repository: Path, token_registry: RunningRegistry
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(example_repository), str(clone))
    user, shelf = shared_command_line.with_credentials(token_registry), new_shelf(token_registry)
    digests = {
        version: user.published(clone, f"request-block={version}", shelf.destination)["digest"]
        for version in ("2.0.0", "1.9.1", "2.1.0-rc.1")
    }
    assert len(set(digests.values())) == 3
    assert shelf.tags == {f"request-block:{version}": digest for version, digest in digests.items()} | {
        "request-block:latest": digests["2.0.0"]
    }
