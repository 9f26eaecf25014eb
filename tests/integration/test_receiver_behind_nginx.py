"""What the receiver leaves to the proxy: nginx of Debian with the shipped configuration, a real receiver behind it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.machine.github import REPOSITORY, sent
from tests.machine.nginx import MOST_CONNECTIONS, OTHER_PROXY, run_nginx
from tests.machine.prefect_server import PrefectServer
from tests.machine.receivers import Answer, RunningReceiver, runs_of, tag_delivery

PING = sent("ping", {"repository": {"full_name": REPOSITORY}})
SECONDS, BURST, CONNECTIONS = 10, 300, 50
HEAD = b"POST /github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: 100000\r\n\r\n"


@pytest.fixture(scope="module")
def proxy(receiver: RunningReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    with run_nginx(tmp_path_factory.mktemp("nginx"), receiver) as running:
        yield running


def test_a_signed_delivery_gets_through_and_starts_its_run(
    proxy: RunningReceiver, on_tag_server: PrefectServer
) -> None:
    tag = "wasm-go-block-v4.0.0"
    answer = proxy.post(tag_delivery("push", tag))
    assert (answer.status, answer.document["status"]) == (202, "started")
    assert [run["id"] for run in runs_of(on_tag_server, tag)] == [answer.document["flow_run"]]
    assert {proxy.ask("GET", path, {}).status for path in ("/", "/health", "/github/")} == {404}


def test_the_receiver_logs_the_clients_address_whatever_the_client_says(
    proxy: RunningReceiver, receiver: RunningReceiver
) -> None:
    assert unsigned(replace(proxy, client="127.0.0.3"), x_forwarded_for="203.0.113.7").status == 401
    log = receiver.log.read_text()
    assert "refused 401 from 127.0.0.3: " in log
    assert "203.0.113.7" not in log


def test_a_request_that_does_not_end_is_not_waited_for(proxy: RunningReceiver) -> None:
    def hold(tls: bool, beginning: bytes, part: bytes) -> tuple[bytes, float]:
        slow, before = replace(proxy, client="127.0.0.4"), time.monotonic()
        with slow.connect_with_tls() if tls else slow.connect() as connection:
            connection.sendall(beginning)
            return trickle(connection, part, before + SECONDS + 5), time.monotonic() - before

    kinds = {
        "not even a handshake": (False, b"", b""),
        "half a handshake": (False, b"\x16\x03\x01", b""),
        "nothing": (True, b"", b""),
        "endless headers": (True, HEAD, b"X-Filler: x\r\n"),
        "a body that stops": (True, HEAD + LENGTH + b"{", b""),
    }
    with ThreadPoolExecutor() as pool:
        held = pool.map(hold, *zip(*kinds.values(), strict=True))
        assert proxy.post(PING).status == 200, "others are served meanwhile"
        answers = dict(zip(kinds, held, strict=True))
    for kind, (said, seconds) in answers.items():
        assert said == b"" or said.startswith((b"HTTP/1.1 408 ", b"\x15")), (kind, said)  # \x15: an alert of TLS
        assert seconds > SECONDS - 1, kind


def test_hundreds_of_idle_connections_silence_nobody(proxy: RunningReceiver) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(replace(proxy, client="127.0.0.5").connect()) for _ in range(400)]
        before = time.monotonic()
        assert proxy.post(PING).status == 200
        assert time.monotonic() - before < 5, "long before the ten seconds of the idle ones are over"
        closed = [is_closed(connection) for connection in idle]
        assert sum(closed) >= 400 - MOST_CONNECTIONS
        assert not any(closed[-100:]), "who came last may still send something"


def test_who_asks_too_often_is_refused_and_holds_up_nobody_else(proxy: RunningReceiver) -> None:
    busy = replace(proxy, client="127.0.0.6")
    before = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: unsigned(busy), range(BURST + 60))]
    assert set(statuses) == {401, 429}
    refilled = 5 * (time.monotonic() - before)
    assert BURST <= statuses.count(401) <= BURST + 1 + refilled
    assert busy.post(PING).status in (200, 429)
    assert proxy.post(PING).status == 200


def test_one_address_has_only_so_many_requests_at_once(proxy: RunningReceiver) -> None:
    with contextlib.ExitStack() as stack:
        greedy = replace(proxy, client="127.0.0.7")
        slow = [stack.enter_context(greedy.connect_with_tls()) for _ in range(CONNECTIONS)]
        for connection in slow:
            connection.sendall(HEAD + LENGTH + b"{")
        time.sleep(0.5)
        assert greedy.post(PING).status == 429
        assert proxy.post(PING).status == 200
    time.sleep(0.5)
    assert greedy.post(PING).status == 200


def test_a_body_that_is_too_large_never_reaches_the_receiver(proxy: RunningReceiver, receiver: RunningReceiver) -> None:
    client = replace(proxy, client="127.0.0.8")
    part = b"x" * 4096
    chunked = {**PING.headers, "Transfer-Encoding": "chunked"}
    for headers, body in ((PING.headers, part * 257), (chunked, iter([part] * 257))):
        with contextlib.suppress(ConnectionError):  # it hangs up while we are still sending
            assert client.ask("POST", "/github", headers, body).status == 413
    assert "from 127.0.0.8" not in receiver.log.read_text()


def test_behind_another_proxy_a_client_is_the_network_it_names(proxy: RunningReceiver) -> None:
    behind = replace(proxy, client=OTHER_PROXY)

    def hammer(address: str) -> int:
        return unsigned(behind, x_forwarded_for=address).status

    with ThreadPoolExecutor(8) as pool:
        spread = [f"203.0.113.{number % 250}" for number in range(BURST + 60)]
        assert set(pool.map(hammer, spread)) == {401}, "each IPv4 address for itself"
        of_one = [f"2001:db8:0:7::{number:x}" for number in range(BURST + 60)]
        assert 429 in set(pool.map(hammer, of_one)), "all addresses of a /64 together"
    assert hammer("2001:db8:0:8::1") == 401


def unsigned(client: RunningReceiver, **headers: str) -> Answer:
    return client.post(PING, x_hub_signature_256="", **headers)


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
        except OSError:
            return said
        if not received:
            return said
        said += received
    raise AssertionError(f"it is still open, having said {said!r}")
