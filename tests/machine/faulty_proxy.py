"""A real HTTP proxy in front of a server that fails in the ways networks and registries fail.

>>> with FaultyProxy("127.0.0.1:5000") as proxy:
...     proxy.fail(Fault("status", method="PUT", status=503, times=2))
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal

_PIECE = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


@dataclass
class Fault:
    """Say what goes wrong, with which requests, and how often.

    status: answered without asking the server. drop: the connection ends without an answer, once
    `after_bytes` of the request's body were read. truncate: the answer ends after `after_bytes` of its body.
    corrupt: the byte after `after_bytes` of the answer's body is another one. delay: `seconds` before the
    server is asked. silence: no answer until the proxy ends. header: `headers` replace the answer's own; a function is
    given its value. instead: like status, but the server is asked, and only answers with status `when` are replaced.
    """

    kind: Literal["status", "drop", "truncate", "corrupt", "delay", "silence", "header", "instead"]
    method: str = ".*"
    path: str = ".*"
    times: int = 1
    status: int = 500
    when: int = 404
    headers: Mapping[str, str | Callable[[str], str]] = field(default_factory=dict)
    body: bytes = b""
    after_bytes: int = 0
    seconds: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        return bool(self.times and re.fullmatch(self.method, method) and re.search(self.path, path))


@dataclass(frozen=True)
class Seen:
    """One request that reached the proxy."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


class FaultyProxy:
    """Forward requests to `upstream` (host:port), note them, and fail as told; with a certificate, over TLS."""

    def __init__(self, upstream: str, certificate: Path | None = None, key: Path | None = None):
        self.upstream = upstream
        self.ca_bundle = str(certificate or "")
        self.seen: list[Seen] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(faults)

    def count(self, method: str = ".*", path: str = ".*") -> int:
        with self._lock:
            return sum(bool(re.fullmatch(method, seen.method) and re.search(path, seen.path)) for seen in self.seen)

    def note(self, seen: Seen) -> Fault | None:
        with self._lock:
            self.seen.append(seen)
            fault = next((fault for fault in self._faults if fault.matches(seen.method, seen.path)), None)
            if fault:
                fault.times -= 1
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultyProxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        fault = self.server.proxy.note(Seen(self.command, self.path, headers))
        if fault and fault.kind == "status":
            self._skip_body()
            self._answer(fault.status, fault.headers, fault.body)
        elif fault and fault.kind == "silence":
            self.server.proxy.over.wait()
            self.close_connection = True
        elif fault and fault.kind == "drop":
            self.rfile.read(min(fault.after_bytes, int(headers.get("content-length") or 0)))
            self._cut()
        else:
            if fault and fault.kind == "delay":
                time.sleep(fault.seconds)
            self._forward(fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _forward(self, fault: Fault | None) -> None:
        connection = http.client.HTTPConnection(self.server.proxy.upstream, timeout=60)
        length = int(self.headers.get("Content-Length") or 0)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, text in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                connection.putheader(name, text)
        connection.endheaders()
        for piece in self._pieces(length):
            connection.send(piece)
        response = connection.getresponse()
        if fault and fault.kind == "instead" and response.status == fault.when:
            self._answer(fault.status, fault.headers, fault.body)
        else:
            self._relay(response, fault)
        connection.close()

    def _relay(self, response: http.client.HTTPResponse, fault: Fault | None) -> None:
        replaced = fault.headers if fault and fault.kind == "header" else {}
        hidden = _HOP_BY_HOP | {name.lower() for name in replaced}
        kept = {name: text for name, text in response.getheaders() if name.lower() not in hidden}
        self.send_response(response.status)
        for name, text in {**kept, **replaced}.items():
            self.send_header(name, text(response.getheader(name, "")) if callable(text) else text)
        if response.getheader("Content-Length") is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        sent = 0
        while piece := response.read(_PIECE):
            if fault and fault.kind == "truncate" and sent + len(piece) > fault.after_bytes:
                self.wfile.write(piece[: fault.after_bytes - sent])
                self._cut()
                return
            if fault and fault.kind == "corrupt" and sent <= fault.after_bytes < sent + len(piece):
                at = fault.after_bytes - sent
                piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
            self.wfile.write(piece)
            sent += len(piece)

    def _answer(self, status: int, headers: Mapping[str, str | Callable[[str], str]], body: bytes) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text("") if callable(text) else text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _skip_body(self) -> None:
        for _ in self._pieces(int(self.headers.get("Content-Length") or 0)):
            pass

    def _pieces(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self.rfile.read(min(_PIECE, length))
            if not piece:
                return
            length -= len(piece)
            yield piece

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        pass
