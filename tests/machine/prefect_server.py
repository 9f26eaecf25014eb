"""A real Prefect server on loopback, as a user would start one: what it keeps of runs can be read and searched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from deployments.local.services import SERVER
from tests.machine.loopback import direct, free_port, json_request
from tests.machine.turns import cache_folder

START_SECONDS = 120
_PAGE = 200
_DATABASE = "prefect.db"
_WHICH_UI = "PREFECT_SERVER_UI_V2_ENABLED"
# Records reach the database within a second, and the server's own work does not slow the runs (docs/decisions.md).
_SETTINGS = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class PrefectServer:
    """Say where a server listens, and where it keeps its database."""

    url: str
    home: Path

    def read(self, kind: str, **asked: Any) -> list[dict[str, Any]]:
        """Return every `flow_runs`, `task_runs`, `logs` or `artifacts` that matches, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._post(f"{kind}/filter", {"limit": _PAGE, "offset": len(found), **asked})
            found += page
            if len(page) < _PAGE:
                return found

    def newest_run(self, name: str) -> dict[str, Any]:
        """Return the newest flow run of that name."""
        asked = {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC"}
        return self.read("flow_runs", **asked)[0]

    def task_runs(self, run_id: str, until: str = "post-report") -> list[dict[str, Any]]:
        """Return the task runs of a flow run in order, once the task `until` is among them and all are done.

        They reach the server as events, a moment after the run.
        """
        deadline = time.monotonic() + 30
        found: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            found = self.read("task_runs", flow_runs={"id": {"any_": [run_id]}})
            ended = all(item["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") for item in found)
            if ended and any(item["name"].startswith(until) for item in found):
                return sorted(found, key=lambda item: str(item["start_time"]))
            time.sleep(0.25)
        raise AssertionError(f"{until} is not among {[(item['name'], item['state_type']) for item in found]}")

    def _post(self, path: str, document: dict[str, Any]) -> list[dict[str, Any]]:
        with direct().open(json_request(f"{self.url}/{path}", document), timeout=30) as answer:
            page: list[dict[str, Any]] = json.load(answer)
        return page


@contextlib.contextmanager
def run_prefect_server(home: Path, *, ui: bool = False) -> Iterator[PrefectServer]:
    """Run `prefect server start` with its database in `home`; the processes it started are ended after."""
    lay_out_database(home)
    port = free_port()
    plain = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")}
    address = f"http://127.0.0.1:{port}"
    # The page would ask port 4200, whatever the port of `--port`.
    pages = {"PREFECT_SERVER_UI_API_URL": f"{address}/api", "PREFECT_UI_URL": address, _WHICH_UI: SERVER[_WHICH_UI]}
    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--ui" if ui else "--no-ui",
    ]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env={**plain, **_SETTINGS, **pages, "PREFECT_HOME": str(home)},
            start_new_session=True,
        )
        try:
            server = PrefectServer(f"{address}/api", home)
            _await(process, server)
            _keep_database(home)
            yield server
        finally:
            _end(process)


def lay_out_database(home: Path) -> None:
    """Begin with the tables of an earlier server of this Prefect: to make them takes longer than all of its start."""
    if _kept_database().exists() and not (home / _DATABASE).exists():
        shutil.copyfile(_kept_database(), home / _DATABASE)


def _keep_database(home: Path) -> None:
    kept = _kept_database()
    if kept.exists():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    with (
        contextlib.closing(sqlite3.connect(home / _DATABASE)) as source,
        contextlib.closing(sqlite3.connect(part)) as target,
    ):
        source.backup(target)
    part.replace(kept)


def _kept_database() -> Path:
    return cache_folder() / f"prefect-{version('prefect')}-on-sqlalchemy-{version('sqlalchemy')}.db"


def _await(process: subprocess.Popen[bytes], server: PrefectServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), direct().open(f"{server.url}/health", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the Prefect server did not start:\n{(server.home / 'server.log').read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and the server it started: they are one group, and only theirs."""
    for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    process.wait(timeout=5)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Give a Prefect server of this session."""
    with run_prefect_server(tmp_path_factory.mktemp("prefect-server")) as server:
        yield server
