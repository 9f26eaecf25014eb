"""Runs that are cancelled or killed: nothing is left, nothing is half moved, and the next run finishes the job."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.doors.containers import Engine
from tests.machine.command_line import CommandLine, Running, make_command_line
from tests.machine.engine import EngineHandle
from tests.machine.engine_records import EngineRecords
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.prefect_server import PrefectServer
from tests.machine.registries import RunningRegistry
from tests.machine.shell_builders import write_shell_builder
from tests.machine.stored import Shelf, new_shelf

TAG = "wasm-go-request-block-v1.0.0"
NAME = "request-block:1.0.0"


@pytest.fixture
def slow(command_line: CommandLine, tmp_path: Path, engine_handle: EngineHandle) -> CommandLine:
    """Give the command line of a user whose compiler takes a minute."""
    builders = write_shell_builder(tmp_path / "builders", "echo compiling; sleep 60", engine_handle)
    return command_line.with_settings(PLUGINYARD_BUILDERS=str(builders))


@dataclass(frozen=True)
class Compiling:
    """Hold a publish whose compiler runs in a container, and where it would publish."""

    running: Running
    records: EngineRecords
    shelf: Shelf


@pytest.fixture
def compiling(
    slow: CommandLine,
    example_repository: Path,
    open_registry: RunningRegistry,
    engine: Engine,
    commands_to_end: list[Running],
) -> Compiling:
    """Start a publish, and wait until its compiler runs."""
    shelf, records = new_shelf(open_registry), EngineRecords(engine, slow)
    running = slow.start(*slow.publish_arguments(example_repository, TAG, shelf.destination))
    commands_to_end.append(running)
    running.await_that(lambda: records.running(running.pid), "a container runs")
    return Compiling(running, records, shelf)


def left_in(cache: Path) -> list[str]:
    """Return what the folders of runs hold."""
    return sorted(path.name for path in (cache / "runs").iterdir())


def test_a_cancelled_run_takes_its_container_and_its_folder_away_itself(
    slow: CommandLine, compiling: Compiling, prefect_server: PrefectServer
) -> None:
    running, records, shelf = compiling.running, compiling.records, compiling.shelf
    assert records.left(running.pid), "a container and a volume"
    assert left_in(slow.cache)
    running.signal(signal.SIGTERM)
    outcome = running.end(seconds=60)
    assert outcome.exit_code not in (0, 1)
    assert outcome.seconds < 50, "it waited for the compiler"
    assert records.left(running.pid) == []
    assert left_in(slow.cache) == []
    assert shelf.is_untouched
    assert prefect_server.newest_run(f"publish {TAG}")["state_type"] in ("CRASHED", "CANCELLED", "FAILED")


def test_an_interrupted_run_takes_its_container_and_its_folder_away_itself(
    slow: CommandLine, compiling: Compiling
) -> None:
    running, records, shelf = compiling.running, compiling.records, compiling.shelf
    running.signal(signal.SIGINT)
    outcome = running.end(seconds=60)
    assert outcome.exit_code == 130, outcome.stderr
    assert outcome.stderr.rstrip().endswith("interrupted")
    assert records.left(running.pid) == []
    assert left_in(slow.cache) == []
    assert shelf.is_untouched


def test_what_a_killed_run_leaves_is_gone_after_the_next_publish(
    slow: CommandLine, command_line: CommandLine, example_repository: Path, compiling: Compiling
) -> None:
    running, records, shelf = compiling.running, compiling.records, compiling.shelf
    running.signal(signal.SIGKILL)
    running.end(seconds=60)
    left = records.left(running.pid)
    assert len(left) == 1, f"nobody could take away the container: {left}"
    assert left_in(slow.cache)
    assert shelf.is_untouched

    found = command_line.published(example_repository, TAG, shelf.destination)
    assert shelf.tags[NAME] == found["digest"]
    assert records.left() == []
    assert left_in(command_line.cache) == []


@pytest.mark.parametrize("who", ["the same user", "another user"])
def test_a_build_under_way_is_left_alone_by_the_publish_of(
    who: str,
    compiling: Compiling,
    command_line: CommandLine,
    tmp_path: Path,
    prefect_server: PrefectServer,
    engine_handle: EngineHandle,
    example_repository: Path,
    open_registry: RunningRegistry,
) -> None:
    running, records = compiling.running, compiling.records
    another = make_command_line(tmp_path / "another", prefect_server, engine_handle)
    publisher = command_line if who == "the same user" else another
    assert publisher.published(example_repository, TAG, new_shelf(open_registry).destination)["published"]
    assert not running.is_over
    assert records.running(running.pid)
    running.signal(signal.SIGTERM)
    running.end(seconds=60)
    assert records.left(running.pid) == []


def test_a_run_killed_between_two_registries_is_finished_by_the_next_with_the_same_digest(
    command_line: CommandLine,
    example_repository: Path,
    open_registry: RunningRegistry,
    token_registry: RunningRegistry,
    commands_to_end: list[Running],
) -> None:
    first, second = new_shelf(open_registry), new_shelf(token_registry)
    user = command_line.with_settings(
        REGISTRY_USERNAME=token_registry.username, REGISTRY_PASSWORD=token_registry.password
    )
    with FaultyProxy(token_registry.host) as proxy:
        proxy.fail(Fault("silence", method="PUT", path="/manifests/"))
        places = (first.destination, f"{proxy.host}/{second.namespace}")
        running = user.start(*user.publish_arguments(example_repository, TAG, *places))
        commands_to_end.append(running)
        running.await_that(lambda: proxy.count("PUT", "/manifests/"), "the second registry is reached")
        running.signal(signal.SIGKILL)
        running.end(seconds=60)
    digest = first.tags[NAME]
    assert second.tags == {}

    found = user.published(example_repository, TAG, first.destination, second.destination)
    assert found["digest"] == digest
    assert [place["state"] for place in found["registries"]] == ["already-there", "published"]
    for shelf in (first, second):
        assert shelf.tags == {NAME: digest, "request-block:latest": digest}
    assert left_in(user.cache) == []
