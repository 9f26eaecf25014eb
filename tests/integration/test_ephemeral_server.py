"""The server that a command starts for itself: many commands at once in an empty home, and one that cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.example_repository import make_repository

ROOT = Path(__file__).parents[2]


def start(example: Path, home: Path, **settings: str) -> subprocess.Popen[str]:
    """Start to publish a tag that is not there: refused by the first task that reads the repository."""
    command = [sys.executable, "-m", "flows", "publish", "--tag", "wasm-go-nothing-v1.0.0", "--registry", "oci:out"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PLUGINYARD_", "PREFECT_API"))}
    return subprocess.Popen(
        command,
        env=clean | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(home)} | settings,
        cwd=example,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "example")


def test_commands_that_start_at_once_in_an_empty_home_wait_for_each_other(example: Path, tmp_path: Path) -> None:
    started = [start(example, tmp_path / "home") for _ in range(4)]
    ended = [process.communicate(timeout=400) for process in started]
    assert [process.returncode for process in started] == [4] * 4, ended
    for _, errors in ended:
        assert "no tag wasm-go-nothing-v1.0.0" in errors
        assert "duplicate column" not in errors


def test_a_server_that_cannot_start_is_an_error_with_the_end_of_its_log(example: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "prefect.db").write_bytes(b"this is no database, and nothing that could be made one\n" * 100)
    failed = start(example, home, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="20")
    _, errors = failed.communicate(timeout=400)
    assert failed.returncode == 13, errors
    assert "Traceback" not in errors.replace("  | Traceback", "")
    assert "ephemeral server does not start" in errors
    assert "file is not a database" in errors
    assert str(home / "ephemeral-server.log") in errors
