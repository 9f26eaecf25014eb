"""Two runs of the same release at the same time end with one artifact, and both succeed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.doors.containers import Engine
from tests.machine.command_line import CommandLine, Running, make_command_line
from tests.machine.engine import EngineHandle
from tests.machine.engine_records import EngineRecords
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import RunningRegistry
from tests.machine.stored import new_shelf

TAG = "wasm-go-request-block-v1.0.0"


@pytest.mark.parametrize("who", ["one user", "two users"])
def test_two_runs_of_one_release_at_once_both_succeed_and_leave_one_artifact(
    who: str,
    command_line: CommandLine,
    tmp_path: Path,
    prefect_server: PrefectServer,
    engine_handle: EngineHandle,
    engine: Engine,
    example_repository: Path,
    basic_registry: RunningRegistry,
    commands_to_end: list[Running],
) -> None:
    shelf = new_shelf(basic_registry)
    other = command_line if who == "one user" else make_command_line(tmp_path / "b", prefect_server, engine_handle)
    users = [user.with_credentials(basic_registry) for user in (command_line, other)]
    for user in users:
        commands_to_end.append(user.start(*user.publish_arguments(example_repository, TAG, shelf.destination)))
    outcomes = [running.end() for running in commands_to_end]
    assert [outcome.exit_code for outcome in outcomes] == [0, 0], [outcome.stderr for outcome in outcomes]
    (digest,) = {outcome.json["digest"] for outcome in outcomes}
    assert any(outcome.json["published"] for outcome in outcomes)
    assert shelf.tags == {"request-block:1.0.0": digest, "request-block:latest": digest}
    revisions = list((shelf.folder / "request-block/_manifests/revisions/sha256").iterdir())
    assert [revision.name for revision in revisions] == [digest.removeprefix("sha256:")]
    for user in users:
        assert list((user.cache / "runs").iterdir()) == []
        assert EngineRecords(engine, user).left() == []
