"""The receiver as it is run: its own process, beside a real Prefect server with the deployment `on-tag`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.machine.github import Sent, sent, tag_event
from tests.machine.judged import secrets_file
from tests.machine.loopback import direct, free_port, json_request
from tests.machine.prefect_server import PrefectServer

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
WORK_POOL = "pluginyard"
_KINDS = {"push": "push-tag-created", "create": "create-tag", "release": "release-published"}
MOST_BYTES = 768 * 1024


@dataclass(frozen=True)
class Answer:
    """What the receiver answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> Answer:
        """Read an answer to its end."""
        headers = {name.lower(): value for name, value in response.getheaders()}
        return cls(response.status, headers, response.read().decode())

    @property
    def document(self) -> dict[str, Any]:
        """Return the JSON of the body."""
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(frozen=True)
class RunningReceiver:
    """A receiver, or a proxy in front of it, that listens on loopback."""

    port: int
    log: Path
    tls: ssl.SSLContext | None = None
    client: str = ""
    """The address of this machine to ask from; empty: the usual one."""

    def post(self, delivery: Sent, **changed: str) -> Answer:
        """Send a delivery, with some of its headers changed."""
        named = {name.replace("_", "-"): value for name, value in changed.items()}
        kept = {name: value for name, value in delivery.headers.items() if name.lower() not in named}
        return self.ask("POST", "/github", kept | named, delivery.body)

    def write(self, delivery: Sent, *more: str, **changed: str | None) -> Answer:
        """Send a delivery as it is, whatever its headers hold, as no HTTP library would; None takes a header away."""
        named = {name.replace("_", "-"): value for name, value in changed.items()}
        given = {name: value for name, value in delivery.headers.items() if name.lower() not in named} | named
        lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
        if not any(line.startswith("Content-Length") for line in more):
            lines.append(f"Content-Length: {len(delivery.body)}")
        lines = ["POST /github HTTP/1.1", "Host: x", *lines, *more, "", ""]
        with self.connect_with_tls() as connection:
            connection.sendall("\r\n".join(lines).encode() + delivery.body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return Answer.of(response)

    def connect(self) -> socket.socket:
        """Open a connection, and send nothing yet: neither a request nor a TLS handshake."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=self._source)

    def connect_with_tls(self) -> socket.socket:
        """Open a connection on which a request may be sent."""
        connection = self.connect()
        return self.tls.wrap_socket(connection, server_hostname="127.0.0.1") if self.tls else connection

    @property
    def _source(self) -> tuple[str, int] | None:
        return (self.client, 0) if self.client else None

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> Answer:
        """Send any request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.sock = self.connect_with_tls()
        try:
            connection.request(
                method, path, body, dict(headers), encode_chunked=body is not None and not isinstance(body, bytes)
            )
            return Answer.of(connection.getresponse())
        finally:
            connection.close()


@contextlib.contextmanager
def run_receiver(folder: Path, api_url: str, *arguments: str, **settings: str) -> Iterator[RunningReceiver]:
    """Run the receiver with the trusted repositories of the judge's tests until the block is left."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    secrets = folder / "secrets.yaml"
    secrets.write_text(secrets_file())
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT_", "PLUGINYARD_"))}
    log = folder / "receiver.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.receiver", "--port", str(port), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env={
                **plain,
                "PREFECT_HOME": str(folder),
                "PREFECT_API_URL": api_url,
                "PLUGINYARD_GITHUB_SECRETS_FILE": str(secrets),
                **settings,
            },
        )
        try:
            receiver = RunningReceiver(port, log)
            _await(process, receiver)
            yield receiver
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=15)


def _await(process: subprocess.Popen[bytes], receiver: RunningReceiver) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if receiver.ask("GET", "/health", {}).status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the receiver did not start:\n{receiver.log.read_text()[-2000:]}")


def runs_of(server: PrefectServer, text: str) -> list[dict[str, Any]]:
    """Return the flow runs whose request speaks of `text`."""
    return [run for run in server.read("flow_runs") if text in json.dumps(run["parameters"])]


def tag_delivery(event: str, tag: str, **changed: Any) -> Sent:
    """Return a push, create or release of `tag`."""
    return sent(event, tag_event(_KINDS[event], tag, **changed))


def github_events(server: PrefectServer) -> list[dict[str, Any]]:
    """Return the events that deliveries left at the server."""
    asked = {"filter": {"event": {"prefix": ["github."]}}, "limit": 50}
    with direct().open(json_request(f"{server.url}/events/filter", asked), timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["events"]
    return found


def wait_for_event(server: PrefectServer, delivery: str) -> list[dict[str, Any]]:
    """Return all events once the one of that delivery is among them; the server writes them in batches."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = github_events(server)
        if any(item["resource"]["github.delivery"] == delivery for item in events):
            return events
        time.sleep(0.25)
    raise AssertionError(f"no event of {delivery}")


@contextlib.contextmanager
def forwarded(port: int, target: str) -> Iterator[None]:
    """Let `port` reach the server at the address `target` (http://HOST:PORT/…) until the block is left."""
    host, _, number = target.removeprefix("http://").partition("/")[0].partition(":")
    listener = socket.create_server(("127.0.0.1", port))

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((host, int(number)))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(scope="session")
def on_tag_server(prefect_server: PrefectServer) -> PrefectServer:
    """Give the Prefect server, with `publish-plugin/on-tag` of prefect.yaml; no worker takes its runs."""
    register_on_tag(prefect_server)
    return prefect_server


def register_on_tag(server: PrefectServer) -> None:
    """Do what an operator does: make the work pool, deploy."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")}
    environment = {**plain, "PREFECT_HOME": str(server.home), "PREFECT_API_URL": server.url}
    for command in (
        ("work-pool", "create", WORK_POOL, "--type", "process", "--overwrite"),
        ("--no-prompt", "deploy", "-n", "on-tag"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def receiver(on_tag_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """Give a receiver that starts runs at that server."""
    settings = {"PLUGINYARD_RECEIVER_MAX_BYTES": str(MOST_BYTES)}
    with run_receiver(tmp_path_factory.mktemp("receiver"), on_tag_server.url, **settings) as running:
        yield running
