"""A Prefect server with its UI and a process worker that publishes: in containers if an engine runs, else as it can."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.machine.deployed_server import PROJECT, DeployedServer, await_that
from tests.machine.engine import status
from tests.machine.engines import NAMED_ENGINE, engine_root, ensure_engine
from tests.machine.many_machines import FAULTS
from tests.machine.prefect_server import run_prefect_server

WORKER = "worker-1"


@contextmanager
def run_worker(server: DeployedServer, folder: Path) -> Iterator[None]:
    """Run a worker of the pool `pluginyard` until the block is left; it looks for runs every second."""
    faults = faults_of(server)
    faults.mkdir()
    own = {
        **_where_it_builds(),
        "FAULTS_FOLDER": str(faults),
        "PYTHONPATH": os.pathsep.join((str(FAULTS), str(PROJECT))),
        "PLUGINYARD_PLAIN_HTTP": "true",  # of the site, whose registry is the tests'
        "PLUGINYARD_CACHE": str(folder / "cache"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_HOME": str(folder / "prefect"),
    }
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "pluginyard", "--name", WORKER]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=PROJECT, env=server.environment | own
        )
        try:
            await_that(lambda: _is_online(server), "the worker is online", 120)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def faults_of(server: DeployedServer) -> Path:
    """Return the folder in which a test says which tasks the worker's runs wait at (tests/machine/faults)."""
    return server.home / "faults"


def _where_it_builds() -> dict[str, str]:
    """Return the settings of an engine that is named or answers; of this machine's toolchain where there is none."""
    if not os.environ.get(NAMED_ENGINE) and not status(engine_root())["answers"]:
        return {"PLUGINYARD_ENGINE": "host"}
    engine = ensure_engine()
    base = {"PLUGINYARD_BASE_IMAGE": engine.base_image} if engine.base_image else {}
    return {"PLUGINYARD_ENGINE": "container", "DOCKER_HOST": engine.address, **base}


def _is_online(server: DeployedServer) -> bool:
    workers = server.call("POST", "work_pools/pluginyard/workers/filter", {})
    return any(item["name"] == WORKER and item["status"] == "ONLINE" for item in workers)


@pytest.fixture(scope="session")
def site_with_ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedServer]:
    """Give a server with its UI, everything of prefect.yaml on it, and a worker."""
    home = tmp_path_factory.mktemp("site")
    worker = tmp_path_factory.mktemp("worker")
    with run_prefect_server(home, ui=True) as server:
        site = DeployedServer(server.url, home)
        site.command("deployments.register", "--deploy")
        with run_worker(site, worker):
            yield site
