"""Ask whether a container engine answers, without its SDK: `pluginyard plan` need not know more."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from tasks.doors.containers.engines import FIND_SECONDS, find_engine, usual_address


def engine_answers(address: str = "") -> bool:
    """Tell whether `find_engine` would find an engine; raise EngineUnavailableError as it does.

    The SDK is imported for what only it can reach (ssh, TLS, through a proxy), and to say why a named one is silent.
    """
    named = address or os.environ.get("DOCKER_HOST", "")
    if _pings(named or usual_address()):
        return True
    return bool(named) and find_engine(address) is not None


def _pings(address: str) -> bool:
    """Tell whether an engine answers at `address`; False where it takes the SDK to know."""
    try:
        with _connected(address) as connection:
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return connection.makefile("rb").readline(256).split()[1:2] == [b"200"]
    except (OSError, ValueError):
        return False


def _connected(address: str) -> socket.socket:
    """Connect to a unix socket, or to a port that speaks plain HTTP; ValueError for anything else."""
    scheme, _, place = address.partition("://")
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(FIND_SECONDS)
        try:
            connection.connect(place)
        except OSError:
            connection.close()
            raise
        return connection
    url = urlsplit(f"//{place}")
    if scheme not in ("tcp", "http") or url.port is None or _wants_tls():
        raise ValueError(address)
    return socket.create_connection((url.hostname or "127.0.0.1", url.port), FIND_SECONDS)


def _wants_tls() -> bool:
    return bool(os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH"))
