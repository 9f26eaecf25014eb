"""The first command of the README, without a server: what it prints, and what it leaves in the history."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from flows.history import LOCAL, answers
from tests.machine.command_line import PROJECT, CommandLine
from tests.machine.prefect_server import lay_out_database


def states(home: Path, table: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(home / "prefect.db")) as database:
        return [state for (state,) in database.execute(f"select state_type from {table}")]


def test_the_demo_publishes_and_leaves_the_history_of_its_tasks(
    shared_command_line: CommandLine, tmp_path: Path
) -> None:
    # A developer's own `make up` listens there; the history would be in its database.
    if answers(LOCAL):
        pytest.skip(f"a server answers at {LOCAL}: the demo is recorded there")
    lay_out_database(tmp_path)
    user = shared_command_line.with_settings(
        PREFECT_API_URL="",
        PREFECT_HOME=str(tmp_path),
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL="1",
        PLUGINYARD_REGISTRIES=f"oci:{tmp_path / 'registry'}",
    )
    command = [sys.executable, "-m", "examples.demo"]
    done = subprocess.run(
        command, cwd=PROJECT, env=dict(user.environment), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Published: oci:{tmp_path / 'registry'}:request-block-1.0.0" in done.stdout
    assert "loads it and gives 3 answers as expected" in done.stdout
    assert "verdict    loads on every gateway as compat variant" in done.stdout
    # The server records nothing before it ends: were it ended too roughly, tasks would be missing.
    assert not {"Traceback", "ERROR"} & set(done.stderr.split()), done.stderr
    assert states(tmp_path, "flow_run") == ["COMPLETED"]
    assert states(tmp_path, "task_run") == ["COMPLETED"] * 10
