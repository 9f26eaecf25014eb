"""What `pluginyard plan` needs on a machine that has an engine: to know that it answers, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseServer, TCPServer, UnixStreamServer

import pytest

from tests.machine.example_repository import make_repository

ROOT = Path(__file__).parents[3]
TAG = "wasm-go-request-block-v1.0.0"
# Prefect alone takes a second to import, the others up to a fifth: `plan` prints in less than half of one.
SLOW = {"prefect", "docker", "requests", "httpx", "oras", "jsonschema", "fastapi", "sqlalchemy"}


class Ping(BaseHTTPRequestHandler):
    """Answer as an engine does that is asked whether it is there, and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 500)
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "example")


def serve(server: BaseServer) -> Iterator[BaseServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=["unix", "tcp"])
def engine_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "unix":
        for _ in serve(UnixStreamServer(str(tmp_path / "engine.sock"), Ping)):
            yield f"unix://{tmp_path}/engine.sock"
    else:
        for server in serve(TCPServer(("127.0.0.1", 0), Ping)):
            yield "tcp://{}:{}".format(*server.server_address)


def plan(folder: Path, engine: str) -> tuple[int, str, str]:
    """Run `plan` where `engine` is named; the last line on stderr names the modules it imported."""
    script = (
        "import sys; from flows.__main__ import main; code = main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    )
    own = ("PLUGINYARD_", "IMAGE_", "DOCKER_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [sys.executable, "-c", script, "plan", "--tag", TAG, "--registry", "oci:out", "--output", "json"],
        env=clean | {"PYTHONPATH": str(ROOT), "DOCKER_HOST": engine},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_plan_asks_an_engine_whether_it_answers_and_imports_nothing_that_is_slow(
    example: Path, engine_address: str
) -> None:
    code, out, err = plan(example, engine_address)
    assert code == 0, err
    assert json.loads(out)["builder"] == "go (go 1.24.4, container)"
    assert SLOW & set(err.splitlines()[-1].split()) == set()


def test_an_engine_that_is_named_and_silent_is_no_reason_to_plan_for_this_machine(
    example: Path, tmp_path: Path
) -> None:
    code, out, err = plan(example, f"unix://{tmp_path}/none.sock")
    assert code == 5, err
    assert "the container engine does not answer" in json.loads(out)["error"]["message"]
