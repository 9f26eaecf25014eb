"""Read an answer's content as it arrives: one that only drips is as bad as one that never comes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import requests
import urllib3.exceptions

from pluginyard.errors import RegistryUnavailableError
from tasks.doors.registries.answers import failure_of, root_of

SLOWEST = 4096.0
"""Bytes per second below which a transfer is given up, once it has had its first moments."""


def arriving(
    response: requests.Response, piece_bytes: int, subject: str, *, grace_seconds: float, slowest: float = math.inf
) -> Iterator[bytes]:
    """Yield the content in pieces, none held back until it is full.

    Raises RegistryUnavailableError where the whole takes longer than `grace_seconds` and its time at `slowest` bytes
    per second, or where the connection breaks off.
    """
    began, received = time.monotonic(), 0
    while piece := _next(response, piece_bytes, subject):
        received += len(piece)
        if time.monotonic() - began > grace_seconds + received / slowest:
            response.close()
            raise RegistryUnavailableError("the answer takes too long", subject=subject, remedy="try again later")
        yield piece


def _next(response: requests.Response, piece_bytes: int, subject: str) -> bytes:
    try:
        # Not iter_content: it returns only what is full, and each byte that drips in begins the time limit anew.
        piece: bytes | None = response.raw.read1(piece_bytes, decode_content=True)
    except urllib3.exceptions.HTTPError as error:
        raise failure_of(error, subject) from root_of(error)
    return piece or b""
