"""Serve git repositories over git's own protocol; the example repositories, and a small one, as fixtures."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine.example_repository import BROKEN_PLUGINS, commit, git, make_repository
from tests.machine.loopback import free_port


@dataclass(frozen=True)
class GitDaemon:
    """Serve each repository in `folder` to anyone, for reading."""

    folder: Path
    port: int

    def url(self, repository: Path) -> str:
        """Return the address of `repository`, which lies in the served folder."""
        return f"git://127.0.0.1:{self.port}/{repository.relative_to(self.folder)}"


@contextlib.contextmanager
def serve_git(folder: Path) -> Iterator[GitDaemon]:
    """Run a git daemon for the repositories in `folder` on a free loopback port until the block is left."""
    for _ in range(5):  # the port is free when it is chosen, and may be taken when it is bound
        port = free_port()
        process = _start(folder, port)
        try:
            if _answers(process, port):
                yield GitDaemon(folder, port)
                return
        finally:
            # The daemon starts a process for each connection: they are one group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise RuntimeError("git daemon does not start: is `git daemon` installed?")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    address = ("--listen=127.0.0.1", f"--port={port}", "--reuseaddr")
    served = (f"--base-path={folder}", "--export-all", "--informative-errors", str(folder))
    quiet = subprocess.DEVNULL
    # Not `git daemon`: killed with its child, git could no longer reap it.
    found = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    command = [str(Path(found.stdout.strip()) / "git-daemon"), *address, *served]
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)


def _answers(process: subprocess.Popen[bytes], port: int, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder whose repositories the git daemon serves."""
    return tmp_path_factory.mktemp("repositories")


@pytest.fixture(scope="session")
def example_repository(served_folder: Path) -> Path:
    """Give the example plugins as a git repository; a test that changes it makes its own."""
    return make_repository(served_folder / "higress-plugins")


@pytest.fixture(scope="session")
def broken_repository(served_folder: Path) -> Path:
    """Give the broken plugins as a git repository; a test that changes it makes its own."""
    return make_repository(served_folder / "broken-plugins", BROKEN_PLUGINS)


@pytest.fixture
def small_repository(tmp_path: Path) -> Path:
    """Give a repository of one file and one commit, for a test to change."""
    folder = tmp_path / "small-repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main", "--template", "")
    (folder / "file").write_text("content\n")
    commit(folder, "first")
    return folder


@pytest.fixture(scope="session")
def git_daemon(served_folder: Path) -> Iterator[GitDaemon]:
    """Serve `served_folder`: what a test makes in it can be cloned from `git_daemon.url(repository)`."""
    with serve_git(served_folder) as daemon:
        yield daemon
