"""A stand-in for a forge's commit statuses, on loopback: it keeps every call, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    document: dict[str, Any]


@dataclass
class StatusForge:
    """Keep what was asked; give `answers` one after the other, then 201."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)

    def next_answer(self) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body of the next answer."""
        return self.answers.pop(0) if self.answers else (201, {}, "{}")


@contextmanager
def run_status_forge() -> Iterator[StatusForge]:
    """Serve until the block is left."""
    forge = StatusForge()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            forge.calls.append(Call(self.command, self.path, headers, json.loads(body or b"{}")))
            status, answered, text = forge.next_answer()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text.encode())), **answered}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    forge.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
