"""Servers on this machine: a port for the next one, and requests that no proxy of the environment gets to see."""

from __future__ import annotations

import json
import random
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from typing import Any


def free_port(together: int = 1) -> int:
    """Return a port of 127.0.0.1 that nobody listens on, nor on the ones after it if some are wanted `together`.

    Below the range from which systems take ports for connections that go out: one of those could have it first.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with ExitStack() as probes, suppress(OSError):
            for each in range(port, port + together):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", each))
            return port


def direct() -> urllib.request.OpenerDirector:
    """Return an opener that uses no proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def json_request(url: str, document: Any = None, **more: Any) -> urllib.request.Request:
    """Return a request with `document` as its body, or none; `more` as for a Request."""
    body = json.dumps(document).encode() if document is not None else None
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}
    return urllib.request.Request(url, body, headers, **more)


def ask(request: urllib.request.Request) -> Any:
    """Return the JSON that a Prefect server answers; an error status raises.

    503: the embedded database is busy, and Prefect's own client asks again too.
    """
    for wait in (0.5, 1, 2, 4, 0):
        try:
            with direct().open(request, timeout=60) as answer:
                content = answer.read()
            break
        except urllib.error.HTTPError as error:
            if error.code != 503 or not wait:
                raise
        time.sleep(wait)
    return json.loads(content) if content else None
