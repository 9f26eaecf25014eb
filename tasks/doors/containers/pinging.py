"""Ask whether a container engine answers, without its SDK: `pluginyard plan` need not know more."""

from __future__ import annotations

import http.client
import os
import socket
from urllib.parse import urlsplit

from tasks.doors.containers.engines import FIND_SECONDS, find_engine, usual_address


def engine_answers(address: str = "") -> bool:
    """Tell whether `find_engine` would find an engine; raise EngineUnavailableError as it does.

    The SDK is imported for what only it can reach (ssh, TLS, through a proxy), and to say why a named one is silent.
    """
    named = address or os.environ.get("DOCKER_HOST", "")
    connection = _connect(named or usual_address())
    if connection is not None and _pings(connection):
        return True
    return bool(named) and find_engine(address) is not None


class _SocketConnection(http.client.HTTPConnection):
    """Speak HTTP over the unix socket at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=FIND_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connect(address: str) -> http.client.HTTPConnection | None:
    """Return a connection to be opened, or None where it takes the SDK, or where no address is known."""
    scheme, _, path = address.partition("://")
    if scheme == "unix":
        return _SocketConnection(path)
    if scheme not in ("tcp", "http") or os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH"):
        return None
    place = urlsplit(f"//{path}")
    return http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=FIND_SECONDS)


def _pings(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
