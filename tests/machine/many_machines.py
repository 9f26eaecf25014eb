"""Many machines on one: PostgreSQL, a Prefect server and process workers, each started again whenever it dies.

Registered, deployed and set as shipped: the settings are those of the run image, the pool's template, the automations.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.machine.deployed_server import PROJECT, DeployedServer, await_that
from tests.machine.loopback import free_port
from tests.machine.postgres import Postgres, run_postgres
from tests.machine.warm_toolchains import warm_cache

FAULTS = Path(__file__).parent / "faults"
# What `restart: unless-stopped` of the compose file and systemd's RestartSec come to.
AGAIN_SECONDS = 1.0


def shipped_settings() -> dict[str, str]:
    """Return the Prefect settings of the run image, without those that name a folder of it."""
    text = (PROJECT / "deployments/Dockerfile").read_text()
    found = dict(re.findall(r"^\s+((?:PREFECT_|DO_NOT)\w+)=(\S+)", text, re.MULTILINE))
    return {name: value for name, value in found.items() if not value.startswith("/")}


@dataclass
class Service:
    """Keep a command running: it is started again when it dies, as systemd or a container engine would."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    deaths: int = 0
    _rest: float = AGAIN_SECONDS
    _ended: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None
    _keeper: threading.Thread | None = None

    @property
    def log(self) -> Path:
        """Return the file its output goes to."""
        return self.folder / f"{self.name}.log"

    def start(self) -> Service:
        """Start it; return it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    def kill(self, seconds: float) -> None:
        """Kill it with everything it started, and leave it dead for that long."""
        self._rest = seconds
        self._kill_group()

    def end(self) -> None:
        """End it for good."""
        self._ended.set()
        while self._keeper and self._keeper.is_alive():
            self._kill_group()
            self._keeper.join(0.2)

    def _keep(self) -> None:
        while not self._ended.is_set():
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=dict(self.environment),
                    start_new_session=True,
                )
            self._process.wait()
            self.deaths += 1
            self._ended.wait(self._rest)
            self._rest = AGAIN_SECONDS

    def _kill_group(self) -> None:
        if self._process and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class ManyMachines:
    """Hold a site of many machines, and the folder in which faults are noted."""

    site: DeployedServer
    server: Service
    workers: tuple[Service, ...]
    faults: Path

    def begun(self, tag: str, task: str) -> list[int]:
        """Return the processes in which the task has begun for the tag."""
        return [int(path.name.rpartition(" ")[2]) for path in self.faults.glob(f"begun {tag} {task} *")]

    def is_lost(self, tag: str) -> bool:
        """Tell whether the machine of that release was lost."""
        return (self.faults / f"lost {tag}").exists()

    def lose(self, process: int) -> None:
        """Kill the process of a run and its worker, as where a machine is lost."""
        assert is_of(process, self.faults)
        worker = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        for each in (worker, process):
            os.kill(each, signal.SIGKILL)

    def let_go_on(self) -> None:
        """Let the runs that are held go on."""
        (self.faults / "go-on").touch()

    def end_runs(self) -> None:
        """End the processes of runs that are still there."""
        for note in self.faults.glob("begun *"):
            process = int(note.name.rpartition(" ")[2])
            if is_of(process, self.faults):
                os.kill(process, signal.SIGKILL)

    def answers(self) -> bool:
        """Tell whether the server answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), opener.open(f"{self.site.url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
        return False


def is_of(process: int, faults: Path) -> bool:
    """Tell whether the process lives, and is one of a worker with this folder of faults."""
    with contextlib.suppress(OSError):
        return f"FAULTS_FOLDER={faults}".encode() in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return False


@contextlib.contextmanager
def run_many_machines(folder: Path, workers: int, **settings: str) -> Iterator[ManyMachines]:
    """Run a site below `folder` with these settings; everything it started is ended after."""
    faults = folder / "faults"
    (faults / "before-begin").mkdir(parents=True)
    port = free_port()
    site = DeployedServer(f"http://127.0.0.1:{port}/api", folder)
    machines = tuple(_worker(site, number, folder, faults, settings) for number in range(1, workers + 1))
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(run_postgres())
        server = _server(site, port, folder / "server", database)
        found = ManyMachines(site, server, machines, faults)
        stack.callback(found.end_runs)
        for service in (server, *machines):
            stack.callback(service.end)
        server.start()
        await_that(found.answers, f"the server answers: see {server.log}", 120)
        site.command("deployments.register", **settings)
        site.command("prefect", "--no-prompt", "deploy", "--all")
        for machine in machines:
            machine.start()
        yield found


def _server(site: DeployedServer, port: int, folder: Path, database: Postgres) -> Service:
    serve = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port", str(port)]
    environment = site.environment | shipped_settings() | database.settings | {"PREFECT_HOME": str(folder)}
    return Service("server", serve, environment, folder)


def _worker(site: DeployedServer, number: int, folder: Path, faults: Path, settings: Mapping[str, str]) -> Service:
    """Return the worker of a machine: it shares the folder of results with the others, and nothing else."""
    name = f"machine-{number}"
    home = folder / name
    work = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "pluginyard", "--type", "process"]
    own = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "results"),
        "PLUGINYARD_CACHE": str(warm_cache(home / "cache")),
        "PLUGINYARD_ENGINE": "host",
        "FAULTS_FOLDER": str(faults),
        "PYTHONPATH": os.pathsep.join((str(FAULTS), str(PROJECT))),
    }
    environment = site.environment | shipped_settings() | own | settings
    return Service(name, [*work, "--name", name, "--limit", "1"], environment, home)
