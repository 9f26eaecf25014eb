"""Prefect's server with its embedded database, workers, and the webhook receiver where a secret is set."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from deployments.local.processes import Process
from deployments.local.settings import PROJECT, find_settings
from deployments.register import POOL, RUN_ENVIRONMENT
from pluginyard.errors import ConfigurationError
from pluginyard.settings import CLIENT_PASSWORD, SERVER_PASSWORD, LocalSettings
from pluginyard.webhooks import choose_forges

START_SECONDS = 240
_PREFECT = [sys.executable, "-m", "prefect"]
SERVER = {
    # One process records all task runs; one by one it falls behind (docs/decisions.md).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
    # A server that is started again knows who holds a place in a limit, and which events it need not wait for.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "deployments.event_order",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The newer UI's pages ask a host outside, whatever the line above says (docs/decisions.md).
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
}
WORKER = {"PREFECT_WORKER_QUERY_SECONDS": "1", **RUN_ENVIRONMENT}


def start_services(settings: LocalSettings) -> None:
    """Start what does not run, the server first; raise ConfigurationError for what does not come up."""
    state, environment = settings.machine.state, settings.environment
    for folder in ("prefect", "results"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    command = [*_PREFECT, "server", "start", "--host", settings.host, "--port", str(settings.port)]
    server = Process("server", state)
    if not server.pid:
        _start_server(server, settings, command)
    elif server.command != command:
        raise ConfigurationError(
            "it runs with another host or port", subject="server", remedy="make down, then make up again"
        )
    _run(settings, "deployments.register", "--deploy")
    for number in range(1, settings.workers + 1):
        worker = Process(f"worker-{number}", state)
        if not worker.pid:
            arguments = ["--pool", POOL, "--type", "process", "--name", worker.name, "--limit", str(settings.limit)]
            worker.start([*_PREFECT, "worker", "start", *arguments], {**environment, **WORKER})
    receiver = Process("receiver", state)
    if choose_forges(settings.given) and not receiver.pid:
        where = ["--host", settings.host, "--port", str(settings.receiver_port)]
        receiver.start([sys.executable, "-m", "deployments.receiver", *where], environment)
    _check_alive(state)


def stop_services(state: Path, environment: Mapping[str, str]) -> list[str]:
    """End what runs, the server last; return the names. What runs were under way begins again after the next start."""
    server, *others = find_processes(state) or [Process("server", state)]
    ended = [process.name for process in reversed(others) if process.stop()]
    workers = [name for name in ended if name.startswith("worker-")]
    if workers and server.pid:
        try:
            _run(find_settings({**environment, **_find_address(server)}), "deployments.local.interrupted", *workers)
        except ConfigurationError as error:
            print(f"runs under way are not scheduled again: {error}", file=sys.stderr)
    return [*ended, server.name] if server.stop() else ended


def find_processes(state: Path) -> list[Process]:
    """Return the processes that were started, the server first."""
    names = sorted(path.stem for path in (state / "run").glob("*.json"))
    return [Process(name, state) for name in sorted(names, key=lambda name: name != "server")]


def describe(settings: LocalSettings) -> str:
    """Return what runs where."""
    found = [(process, process.pid) for process in find_processes(settings.machine.state)]
    if not any(pid for _, pid in found):
        return "nothing runs; make up starts it"
    states = [(process, f"pid {pid}" if pid else "NOT RUNNING") for process, pid in found]
    lines = [(process.name, f"{state:<12} log {process.log}") for process, state in states]
    lines.append(("UI", settings.url))
    for forge in choose_forges(settings.given):
        lines.append(("webhooks", f"http://{settings.host}:{settings.receiver_port}/{forge.name}"))
    lines.append(("client", f"export PREFECT_API_URL={settings.api}"))
    if settings.password:
        file, named = settings.machine.password_file, settings.given.get(SERVER_PASSWORD)
        value = f"${SERVER_PASSWORD}" if named else f"$(cat {shlex.quote(str(file))})"
        lines.append(("password", f"{f'that of {SERVER_PASSWORD}' if named else file} (user:password)"))
        lines.append(("", f'export {CLIENT_PASSWORD}="{value}"'))
    return "\n".join(f"  {name:<10} {text}" for name, text in lines)


def prepare_builder(settings: LocalSettings) -> None:
    """Make the image of the builder `go`, which takes half a minute once, so that the first run need not.

    Not even that keeps `make up` from being done: a run says why an image cannot be had.
    """
    command = [sys.executable, "-m", "flows", "prepare", "go"]
    # S603: our own command, as a list, without a shell.
    subprocess.run(command, cwd=PROJECT, env=settings.environment, stdout=subprocess.DEVNULL, check=False)


def _find_address(server: Process) -> dict[str, str]:
    """Return where the server listens: `make down` may be typed where the variables of `make up` are not set."""
    words = server.command
    names = {"--host": "PLUGINYARD_HOST", "--port": "PLUGINYARD_PORT"}
    return {names[word]: text for word, text in itertools.pairwise(words) if word in names}


def _start_server(server: Process, settings: LocalSettings, command: list[str]) -> None:
    if _answers(settings.api):
        raise ConfigurationError(
            "something else answers there already", subject=settings.api, remedy="set PLUGINYARD_PORT to a free port"
        )
    pid = server.start(command, {**settings.environment, **SERVER})
    deadline = time.monotonic() + START_SECONDS
    while server.pid == pid and time.monotonic() < deadline:
        if _answers(settings.api):
            return
        time.sleep(0.2)
    tail = server.tail()
    server.stop()
    raise ConfigurationError(f"it does not come up:\n{tail}", subject="server", remedy=f"see {server.log}")


def _answers(api: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{api}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _run(settings: LocalSettings, *arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    # S603: our own command, as a list, without a shell.
    done = subprocess.run(command, cwd=PROJECT, env=settings.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        log = Process("server", settings.machine.state).log
        raise ConfigurationError(
            f"failed:\n{done.stdout}{done.stderr}", subject=" ".join(arguments), remedy=f"see {log}"
        )


def _check_alive(state: Path) -> None:
    time.sleep(2)  # what cannot start says so by then
    for process in find_processes(state):
        if not process.pid:
            raise ConfigurationError(
                f"it ended at once:\n{process.tail()}", subject=process.name, remedy=f"see {process.log}"
            )
