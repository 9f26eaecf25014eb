from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.machine.github import REPOSITORY, sent
from tests.machine.receivers import RunningReceiver, run_receiver

PING = sent("ping", {"repository": {"full_name": REPOSITORY}})
PATIENCE = 1.5
LENGTH = b"Content-Length: 100000\r\n\r\n"


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[RunningReceiver]:
    settings = {"PLUGINYARD_RECEIVER_REQUEST_SECONDS": str(PATIENCE)}
    with run_receiver(tmp_path, "http://127.0.0.1:9/api", **settings) as running:
        yield running


def test_hundreds_of_idle_connections_silence_nobody(receiver: RunningReceiver) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(receiver.connect()) for _ in range(400)]
        before = time.monotonic()
        assert receiver.post(PING).status == 200
        assert time.monotonic() - before < 5, "long before the ten seconds of the idle ones are over"
        closed = [is_closed(connection) for connection in idle]
        assert sum(closed) >= 400 - 256
        assert not any(closed[-200:]), "who came last may still say something"


def test_a_request_that_does_not_end_is_not_waited_for(impatient: RunningReceiver) -> None:
    head = b"POST /github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    beginnings = {
        "nothing": (b"", b""),
        "endless headers": (head, b"X-Filler: x\r\n"),
        "an endless body": (head + b"Content-Length: 100000\r\n\r\n", b"x"),
        "an endless body nobody asked for": (
            b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
            b"x",
        ),
    }

    def hold(beginning: bytes, part: bytes) -> bytes:
        with impatient.connect() as connection:
            connection.sendall(beginning)
            return trickle(connection, part, time.monotonic() + 3 * PATIENCE)

    with ThreadPoolExecutor() as pool:
        answers = dict(zip(beginnings, pool.map(hold, *zip(*beginnings.values(), strict=True)), strict=True))
    assert answers["nothing"] == answers["endless headers"] == b""
    assert answers["an endless body"].startswith(b"HTTP/1.1 408 ")
    assert answers["an endless body nobody asked for"].startswith(b"HTTP/1.1 200 ")


def test_a_connection_carries_one_request(receiver: RunningReceiver) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with receiver.connect() as connection:
        connection.sendall(request * 3)
        assert trickle(connection, b"", time.monotonic() + 4).count(b"HTTP/1.1 ") == 1


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def trickle(connection: socket.socket, part: bytes, deadline: float) -> bytes:
    """Send `part` ten times a second until the other side closes; return what it said, fail at `deadline`."""
    connection.settimeout(0.1)
    said = b""
    while time.monotonic() < deadline:
        try:
            connection.sendall(part)
            received = connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return said
        if not received:
            return said
        said += received
    raise AssertionError(f"it is still open, having said {said!r}")
