"""A Prefect server with everything of ours on it: registered and deployed, as `make up` does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.machine.loopback import ask, json_request

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class DeployedServer:
    """Call a server's API, and run commands against it."""

    url: str
    home: Path

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """Return what the server answers to a request; an error status raises."""
        try:
            return ask(json_request(f"{self.url}/{path}", document, method=method))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None

    def deployment(self, name: str) -> dict[str, Any]:
        """Return the deployment FLOW/NAME."""
        found: dict[str, Any] = self.call("GET", f"deployments/name/{name}")
        return found

    def start(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make a run of a deployment that no worker takes before its time; return it."""
        deployment = self.deployment(name)["id"]
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2100-01-01T00:00:00Z"}}
        document = {"parameters": {"request": dict(request)}, "state": state}
        run: dict[str, Any] = self.call("POST", f"deployments/{deployment}/create_flow_run", document)
        return run

    def set_state(self, run: str, state: str, **more: Any) -> None:
        """Force a run into a state."""
        self.call("POST", f"flow_runs/{run}/set_state", {"state": {"type": state, **more}, "force": True})

    def run(self, run: str) -> dict[str, Any]:
        """Return a flow run."""
        found: dict[str, Any] = self.call("GET", f"flow_runs/{run}")
        return found

    def states(self, run: str) -> list[str]:
        """Return the names of the states a run went through."""
        found = self.call("GET", f"flow_run_states/?flow_run_id={run}")
        return [item["name"] for item in sorted(found, key=lambda item: str(item["timestamp"]))]

    def command(self, *arguments: str, **environment: str) -> str:
        """Run `python -m ARGUMENTS` at the top of the project; return its output, fail where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=PROJECT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a client that has no settings of its own."""
        ours = ("PREFECT_", "PLUGINYARD_", "REGISTRY_", "IMAGE_")
        plain = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        home = str(self.home / "client")
        return {**plain, "PREFECT_API_URL": self.url, "PREFECT_HOME": home, "PYTHONPATH": str(PROJECT)}


def await_that(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait until `condition` holds; return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.2)
    return found


@dataclass
class Listener:
    """Remember what is posted to a port of this machine."""

    port: int
    received: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=s3cret-of-the-hook"


@contextmanager
def listen() -> Iterator[Listener]:
    """Listen on loopback for JSON documents."""
    listener = Listener(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.received.append({"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
