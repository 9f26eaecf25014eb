"""A run that ends while git waits for a remote: nothing goes on after it, and nothing of it is left."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from pluginyard.errors import SourceError
from pluginyard.sources import Source
from tasks.doors import sources
from tests.machine.processes import heed_interrupts, processes_naming

RUN = (
    "import sys; from pathlib import Path; from tasks.doors import sources\n"
    "sources.open_source(sys.argv[1], cache=Path(sys.argv[2]))"
)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Give a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def address_of(server: socket.socket) -> str:
    return f"git://127.0.0.1:{server.getsockname()[1]}/plugins"


def wait_until_gone(word: str, seconds: float = 5) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := processes_naming(word)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
def test_a_run_that_is_ended_ends_at_once_and_git_with_it(
    how: signal.Signals, silent: socket.socket, tmp_path: Path
) -> None:
    url = address_of(silent)
    command = [sys.executable, "-c", RUN, url, str(tmp_path)]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=heed_interrupts)
    try:
        with silent.accept()[0]:
            assert len(processes_naming(url)) > 1, "git is a process of its own"
            run.send_signal(how)
            assert run.wait(timeout=10) in (-how, 1)
            assert wait_until_gone(url) == []
    finally:
        run.kill()
    if how == signal.SIGINT:
        assert not list(tmp_path.rglob("*.partial"))


def test_what_a_killed_run_left_half_made_goes_with_the_next_clone(tmp_path: Path, small_repository: Path) -> None:
    left = tmp_path / "mirrors" / "0123456789abcdef.partial"
    left.mkdir(parents=True)
    (left / "HEAD").touch()
    sources.open_source(f"file://{small_repository}", cache=tmp_path)
    assert not left.exists()


def test_a_fetch_in_another_thread_ends_with_the_block_that_waits_for_it(silent: socket.socket, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:

        def wait_for_it() -> None:
            with sources.fetches_that_end():
                fetch.append(pool.submit(sources.open_source, address_of(silent), cache=tmp_path))
                connections.append(silent.accept()[0])
                raise KeyboardInterrupt

        fetch: list[Future[Source]] = []
        connections: list[socket.socket] = []
        with pytest.raises(KeyboardInterrupt):
            wait_for_it()
        with connections[0], pytest.raises(SourceError, match="the run ends") as failure:
            fetch[0].result(timeout=5)
    assert not failure.value.transient, "nobody waits for another try"
