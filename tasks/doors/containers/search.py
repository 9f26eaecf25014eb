"""Look whether a container engine answers, without its SDK where possible: `pluginyard plan` need not know more."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from pluginyard.errors import EngineUnavailableError
from tasks.doors.containers.endpoints import Endpoint, find_endpoints
from tasks.doors.containers.engines import FIND_SECONDS, connect


@dataclass(frozen=True)
class EngineSearch:
    """Say whether an engine answers, and which ones that are there do not."""

    found: bool
    silent: tuple[str, ...] = ()


def search_engine(address: str = "") -> EngineSearch:
    """Look for the engine that `find_engine` would find; raise as it does.

    The SDK is imported for what only it can reach (ssh, TLS, through a proxy), and to say why a required one is silent.
    """
    silent = []
    for place in find_endpoints(address):
        if _pings(place) or _connects(place):
            return EngineSearch(True)
        silent.append(place.name)
    return EngineSearch(False, tuple(silent))


def _connects(place: Endpoint) -> bool:
    if not place.required and place.address.startswith("unix:"):
        return False
    try:
        connect(place)
    except EngineUnavailableError:
        if place.required:
            raise
        return False
    return True


def _pings(place: Endpoint) -> bool:
    """Return whether an engine answers at `place`; False where it takes the SDK to know."""
    try:
        with _connected(place) as connection:
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return connection.makefile("rb").readline(256).split()[1:2] == [b"200"]
    except (OSError, ValueError):
        return False


def _connected(place: Endpoint) -> socket.socket:
    """Connect to a unix socket, or to a port that speaks plain HTTP; ValueError for anything else."""
    scheme, _, rest = place.address.partition("://")
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(FIND_SECONDS)
        try:
            connection.connect(rest)
        except OSError:
            connection.close()
            raise
        return connection
    url = urlsplit(f"//{rest}")
    if scheme not in ("tcp", "http") or url.port is None or place.certificates or _wants_tls():
        raise ValueError(place.address)
    return socket.create_connection((url.hostname or "127.0.0.1", url.port), FIND_SECONDS)


def _wants_tls() -> bool:
    return bool(os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH"))
