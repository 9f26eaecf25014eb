"""Everything on one machine: `python -m deployments.local` (`make up`), `… down` (`make down`), `… status`.

Prefect's server with its embedded database, workers, the webhook receiver where a secret is set, and all deployments.
What it keeps is in .make/up (PLUGINYARD_STATE), and is there again after a restart.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployments.local.passwords import CLIENT_VARIABLE, LOOPBACK, VARIABLE
from deployments.local.processes import Process
from deployments.local.settings import PROJECT, Yard, find_state, read_yard
from pluginyard.errors import ConfigurationError, PluginyardError

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
WORKER = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_CLIENT_MAX_RETRIES": "8",
}


def up(yard: Yard) -> None:
    """Start what does not run, the server first; raise ConfigurationError for what does not come up."""
    for folder in ("prefect", "results"):
        (yard.state / folder).mkdir(parents=True, exist_ok=True)
    yard.state.chmod(0o700)
    command = [*_PREFECT, "server", "start", "--host", yard.host, "--port", str(yard.port)]
    if not yard.server.pid:
        _start_server(yard, command)
    elif yard.server.command != command:
        raise ConfigurationError(
            "it runs with another host or port", subject="server", remedy="make down, then make up again"
        )
    _run(yard, "deployments.register", "--deploy")
    for number in range(1, yard.workers + 1):
        worker = Process(f"worker-{number}", yard.state)
        if not worker.pid:
            arguments = ["--pool", "pluginyard", "--type", "process", "--name", worker.name, "--limit", str(yard.limit)]
            worker.start([*_PREFECT, "worker", "start", *arguments], {**yard.settings(), **WORKER})
    receiver = Process("receiver", yard.state)
    if yard.receives and not receiver.pid:
        where = ["--host", yard.host, "--port", str(yard.receiver_port)]
        receiver.start([sys.executable, "-m", "deployments.receiver", *where], yard.settings())
    _check_alive(yard)


def down(state: Path, environment: Mapping[str, str]) -> list[str]:
    """End what runs, the server last; return the names. What runs were under way begins again after the next start."""
    server, *others = find_processes(state) or [Process("server", state)]
    ended = [process.name for process in reversed(others) if process.stop()]
    workers = [name for name in ended if name.startswith("worker-")]
    if workers and server.pid:
        try:
            _run(read_yard({**environment, **_address(server)}), "deployments.local.interrupted", *workers)
        except ConfigurationError as error:
            print(f"runs under way are not scheduled again: {error}", file=sys.stderr)
    return [*ended, server.name] if server.stop() else ended


def _address(server: Process) -> dict[str, str]:
    """Return where the server listens: `make down` may be typed where the variables of `make up` are not set."""
    words = server.command
    names = {"--host": "PLUGINYARD_HOST", "--port": "PLUGINYARD_PORT"}
    return {names[word]: text for word, text in itertools.pairwise(words) if word in names}


def find_processes(state: Path) -> list[Process]:
    """Return the processes that were started, the server first."""
    names = sorted(path.stem for path in (state / "run").glob("*.json"))
    return [Process(name, state) for name in sorted(names, key=lambda name: name != "server")]


def describe(yard: Yard) -> str:
    """Return what runs where."""
    lines = []
    for process in find_processes(yard.state):
        state = f"pid {process.pid}" if process.pid else "NOT RUNNING"
        lines.append(f"  {process.name:<10} {state:<12} log {process.log}")
    if not any(process.pid for process in find_processes(yard.state)):
        return "nothing runs; make up starts it"
    lines.append(f"  {'UI':<10} {yard.url}")
    if yard.receives:
        lines.append(f"  {'webhooks':<10} http://{yard.host}:{yard.receiver_port}/github")
    lines.append(f"  {'client':<10} export PREFECT_API_URL={yard.api}")
    if yard.password:
        named = yard.environment.get(VARIABLE)
        value = f"${VARIABLE}" if named else f"$(cat {shlex.quote(str(yard.state / 'password'))})"
        lines.append(
            f"  {'password':<10} {f'that of {VARIABLE}' if named else yard.state / 'password'} (user:password)"
        )
        lines.append(f'  {"":<10} export {CLIENT_VARIABLE}="{value}"')
    return "\n".join(lines)


def _start_server(yard: Yard, command: list[str]) -> None:
    if _answers(yard.api):
        raise ConfigurationError(
            "something else answers there already", subject=yard.api, remedy="set PLUGINYARD_PORT to a free port"
        )
    pid = yard.server.start(command, {**yard.settings(), **SERVER})
    deadline = time.monotonic() + START_SECONDS
    while yard.server.pid == pid and time.monotonic() < deadline:
        if _answers(yard.api):
            return
        time.sleep(0.2)
    tail = yard.server.tail()
    yard.server.stop()
    raise ConfigurationError(f"it does not come up:\n{tail}", subject="server", remedy=f"see {yard.server.log}")


def _answers(api: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{api}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _run(yard: Yard, *arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    # S603: our own command, as a list, without a shell.
    done = subprocess.run(command, cwd=PROJECT, env=yard.settings(), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigurationError(
            f"failed:\n{done.stdout}{done.stderr}", subject=" ".join(arguments), remedy=f"see {yard.server.log}"
        )


def prepare_builder(yard: Yard) -> None:
    """Make the image of the builder `go`, which takes half a minute once, so that the first run need not.

    Not even that keeps `make up` from being done: a run says why an image cannot be had.
    """
    command = [sys.executable, "-m", "flows", "prepare", "go"]
    # S603: our own command, as a list, without a shell.
    subprocess.run(command, cwd=PROJECT, env=yard.settings(), stdout=subprocess.DEVNULL, check=False)  # noqa: S603


def _check_alive(yard: Yard) -> None:
    time.sleep(2)  # what cannot start says so by then
    for process in find_processes(yard.state):
        if not process.pid:
            raise ConfigurationError(
                f"it ended at once:\n{process.tail()}", subject=process.name, remedy=f"see {process.log}"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser("python -m deployments.local", description="Run everything on this machine")
    parser.add_argument("command", nargs="?", choices=("up", "down", "status"), default="up")
    command = parser.parse_args(argv).command
    try:
        if command == "down":
            state = find_state(os.environ)
            print(f"ended: {', '.join(down(state, os.environ)) or 'nothing ran'}; what it kept is in {state}")
            return 0
        yard = read_yard(os.environ)
        if command == "up":
            up(yard)
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(describe(yard), flush=True)
    if command == "up" and yard.host not in LOOPBACK:
        print("  it listens beyond this machine, without TLS: put a reverse proxy with TLS in front")
    if command == "up" and yard.environment.get("PLUGINYARD_ENGINE") != "host":
        prepare_builder(yard)
    return 0


if __name__ == "__main__":
    sys.exit(main())
