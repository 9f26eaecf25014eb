"""The service behind the probed gateway: it answers 200 with the request that reached it, as JSON.

So a probe can also see what a plugin did to a request: `expect: {contains: '"x-user":"me"'}`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BODY_BOUND = 64 * 1024


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def _answer(self) -> None:
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self._read_body().decode("utf-8", "replace"),
        }
        body = json.dumps(seen, separators=(",", ":")).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(min(int(self.headers.get("content-length") or 0), _BODY_BOUND))
        body = b""
        while size := int(self.rfile.readline(1024).split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)[: _BODY_BOUND - len(body)]
            self.rfile.readline(8)
        self.rfile.readline(8)
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: Envoy's answers are what is judged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Envoy keeps its connections open: waiting for their threads would wait for their time limit.
    block_on_close = False


@contextlib.contextmanager
def serve_upstream() -> Iterator[int]:
    """Serve on a free loopback port, which is given, until the block is left."""
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
