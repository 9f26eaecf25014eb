"""The command line where the server that should record its runs does not answer, or asks for a password."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAG = "wasm-go-request-block-v1.0.0"


class Closed(BaseHTTPRequestHandler):
    """Answer as a server does that was given no password, or is another program."""

    status = 401

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


class Stranger(Closed):
    status = 404


@pytest.fixture(params=[Closed, Stranger])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", request.param.status
        server.shutdown()


def publish(example: Path, api: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "flows", "publish", "--tag", TAG, "--registry", "oci:out", "--output", "json"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PREFECT_API_URL": api},
        cwd=example,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "pass-4711" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_server_that_is_away_is_an_error_that_says_what_to_do(example: Path) -> None:
    code, out, err = publish(example, "http://ci:pass-4711@127.0.0.1:9/api")
    told = json.loads(out)["error"]
    assert (code, told["type"], told["exit_code"]) == (13, "ServerError", 13)
    assert told["subject"] == "http://127.0.0.1:9"
    assert "PREFECT_API_URL" in told["remedy"]
    assert told["message"] in err


def test_a_server_that_refuses_is_an_error_that_says_what_to_do(example: Path, server: tuple[str, int]) -> None:
    address, status = server
    code, out, _ = publish(example, f"{address}/api")
    told = json.loads(out)["error"]
    assert (code, told["subject"]) == (13, address)
    assert str(status) in told["message"]
    assert ("PREFECT_API_AUTH_STRING" if status == 401 else "PREFECT_API_URL") in told["remedy"]
