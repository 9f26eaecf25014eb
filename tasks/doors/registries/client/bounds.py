"""Bounds on the whole of an answer, kept where its bytes come in: its head, its content and what may follow it.

The time limit of a socket is for each read, so one byte a minute, be it of a header, of a trailer or of an endless
`100 Continue`, would keep us for ever; and neither http.client nor requests bounds how much is read.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_HEAD_BYTES = 1 << 20
_OVERHEAD = 8
"""How many bytes on the wire one of content may take: a chunk of one byte has six."""


class TooSlowError(Exception):
    """The whole takes longer than it may. No OSError: urllib3 would call it a silence."""


class TooLongError(Exception):
    """There is more than there may be."""


class Bounds(io.RawIOBase):
    """Read an answer from a socket as long as it is within its bounds: at first those of its head."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket) -> None:
        super().__init__()
        self._raw, self._socket = raw, connection
        self._seconds = connection.gettimeout() or math.inf
        self._began = self._heard = time.monotonic()
        self._received, self._limit, self._slowest = 0, _HEAD_BYTES, math.inf

    def allow(self, content_bytes: int, slowest: float = math.inf) -> None:
        """Allow so much content as well, and for it the time it takes at `slowest` bytes per second."""
        self._limit, self._slowest = self._received + content_bytes * _OVERHEAD + _HEAD_BYTES, slowest

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what has come; raise TooSlowError or TooLongError where that is out of bounds."""
        now = time.monotonic()
        left = self._began + self._seconds + self._received / self._slowest - now
        if left <= 0:
            raise TooSlowError
        if left < math.inf:
            self._socket.settimeout(min(left, self._seconds))
        try:
            count = self._raw.readinto(buffer) or 0
        except TimeoutError:
            if time.monotonic() - self._heard < 0.9 * self._seconds:
                raise TooSlowError from None
            raise
        self._heard = time.monotonic()
        self._received += count
        if self._received > self._limit:
            raise TooLongError
        return int(count)

    def close(self) -> None:
        """Close the socket's side too."""
        self._raw.close()
        super().close()


class _BoundedAnswer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.bounds = Bounds(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self.bounds)


class _HTTPConnection(HTTPConnection):
    response_class = _BoundedAnswer


class _HTTPSConnection(HTTPSConnection):
    response_class = _BoundedAnswer


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class BoundedAdapter(HTTPAdapter):
    """Have requests read answers within bounds, on connections that are direct and on those through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the connections ours."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the connections ours."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager


def bounds_of(response: requests.Response) -> Bounds:
    """Return the bounds of an answer that a BoundedAdapter gave."""
    answer = response.raw._original_response
    assert isinstance(answer, _BoundedAnswer)  # noqa: S101  # the adapter's connections make no other
    return answer.bounds
