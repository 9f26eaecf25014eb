from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pluginyard.errors import BuildError, EngineUnavailableError
from tasks.doors.containers import EngineSearch, find_engine, remove_leftovers, search_engine
from tests.machine.builds import Bench
from tests.machine.engines import EngineHandle

ROOT = Path(__file__).parents[2]
BUILD = """
    import sys
    from pathlib import Path
    from pluginyard.settings import load_site
    from tasks.doors.containers import find_engine
    from tests.machine.builds import Bench

    address, base, folder, run, seconds = sys.argv[1:]
    bench = Bench(find_engine(address), load_site({"PLUGINYARD_BASE_IMAGE": base}), Path(folder), run_id=run)
    fetching = "true"  # so that there is a volume too
    bench = bench.allowing(seconds=float(seconds))
    bench.shell("echo building; sleep 600", fetching=fetching, log=lambda text: print(text, flush=True))
"""


def is_over(bench: Bench) -> bool:
    return not bench.left()


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, RuntimeError, GeneratorExit])
def test_an_interrupted_build_leaves_nothing(bench: Bench, interrupt: type[BaseException]) -> None:
    def stop(_: str) -> None:
        assert len(bench.left()) == 1
        raise interrupt

    with pytest.raises(interrupt):
        bench.shell("echo building; sleep 600", log=stop)
    assert is_over(bench)


def test_a_build_interrupted_while_it_fetches_leaves_nothing(bench: Bench) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.shell("true", fetching="echo fetching; sleep 600", log=stop)
    assert is_over(bench)


def kill_while_building(bench: Bench, engine: EngineHandle, ending: signal.Signals, *, limit: float = 600) -> None:
    """Build in a process of its own, of at most `limit` seconds, and end that while it compiles."""
    arguments = [engine.address, engine.base_image, str(bench.folder), bench.run_id, str(limit)]
    command = [sys.executable, "-c", textwrap.dedent(BUILD), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "building\n"
        child.send_signal(ending)


def test_the_container_of_a_killed_build_ends_itself(bench: Bench, engine_handle: EngineHandle) -> None:
    kill_while_building(bench, engine_handle, signal.SIGKILL, limit=1)
    (container, *_) = bench.engine.client.containers(filters={"label": f"io.pluginyard.run={bench.run_id}"})
    assert bench.engine.client.wait(container["Id"], timeout=60)["StatusCode"] == 137
    remove_leftovers(bench.engine, lambda run: run != bench.run_id)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_killed_build_leaves_is_removed_once_its_run_is_over(
    bench: Bench, engine_handle: EngineHandle, ending: signal.Signals
) -> None:
    kill_while_building(bench, engine_handle, ending)
    assert len(bench.left()) == 3
    assert remove_leftovers(bench.engine, lambda run: True) == ()
    assert len(bench.left()) == 3
    removed = remove_leftovers(bench.engine, lambda run: run != bench.run_id)
    assert len(removed) == 3
    assert is_over(bench)


def test_nothing_is_removed_that_is_not_marked(bench: Bench) -> None:
    volume = bench.engine.client.create_volume(f"{bench.run_id}-of-somebody")
    remove_leftovers(bench.engine, lambda run: run != bench.run_id)
    assert bench.engine.client.inspect_volume(volume["Name"])
    bench.engine.client.remove_volume(volume["Name"])


def test_a_failed_build_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(BuildError):
        bench.shell("exit 3")
    assert is_over(bench)


def test_an_engine_that_is_named_and_does_not_answer_is_worth_another_try(tmp_path: Path) -> None:
    for address in (f"unix://{tmp_path}/none.sock", "tcp://127.0.0.1:1"):
        started = time.monotonic()
        with pytest.raises(EngineUnavailableError) as raised:
            find_engine(address)
        assert time.monotonic() - started < 6
        assert raised.value.subject == address
        assert raised.value.transient


def test_an_engine_named_by_the_environment_is_found(
    engine_handle: EngineHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine_handle.address)
    found = find_engine()
    assert found is not None
    assert found.address == engine_handle.address


def test_where_no_engine_is_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tasks.doors.containers.endpoints.SYSTEM_SOCKETS", (str(tmp_path / "none.sock"),))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_engine() is None
    assert search_engine() == EngineSearch(False)
