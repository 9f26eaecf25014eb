from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine.github import REPOSITORY, SECRET, Sent, sent, sign, tag_event
from tests.machine.prefect_server import PrefectServer
from tests.machine.receivers import (
    MOST_BYTES,
    RunningReceiver,
    github_events,
    run_receiver,
    runs_of,
    tag_delivery,
)

TAG = "wasm-go-refused-v1.0.0"
PUSH = tag_delivery("push", TAG)
REFUSED: dict[str, tuple[int, Sent, dict[str, str]]] = {
    "unsigned": (401, PUSH, {"x_hub_signature_256": ""}),
    "signed by nobody we know": (401, sent("push", json.loads(PUSH.body), "a secret of somebody else"), {}),
    "signed for another body": (401, PUSH, {"x_hub_signature_256": sign(PUSH.body + b"\n")}),
    "of a repository nobody trusts": (401, tag_delivery("push", TAG, repository={"full_name": "mallory/x"}), {}),
    "not JSON": (400, Sent("push", b"wasm-go-refused-v1.0.0"), {}),
    "without a proper id": (400, PUSH, {"x_github_delivery": "7"}),
    "without an event": (400, PUSH, {"x_github_event": ""}),
    "form-encoded": (415, PUSH, {"content_type": "application/x-www-form-urlencoded"}),
    "of no type": (415, PUSH, {"content_type": ""}),
    "too large": (413, tag_delivery("push", TAG, padding="x" * MOST_BYTES), {}),
    "malformed": (422, tag_delivery("push", TAG, head_commit={"id": "HEAD"}), {}),
}


def test_what_is_refused_leaves_no_run_and_no_event(receiver: RunningReceiver, on_tag_server: PrefectServer) -> None:
    answers = {name: receiver.post(delivery, **changed) for name, (_, delivery, changed) in REFUSED.items()}
    ignored = receiver.post(sent("push", tag_event("push-tag-deleted", TAG)))
    assert {name: answer.status for name, answer in answers.items()} == {name: row[0] for name, row in REFUSED.items()}
    assert ignored.status == 200
    accepted = tag_delivery("push", "wasm-go-block-v1.0.5")
    run = receiver.post(accepted).document["flow_run"]
    events = wait_for_event(on_tag_server, accepted.id)
    assert not [event for event in events if TAG in json.dumps(event)]
    assert runs_of(on_tag_server, TAG) == []
    (told,) = [event for event in events if event["id"] == accepted.id]
    assert told["event"] == "github.push.tag"
    assert told["resource"]["prefect.resource.id"] == f"github.repository.{REPOSITORY}"
    assert told["related"][0]["prefect.resource.id"] == f"prefect.flow-run.{run}"


def wait_for_event(server: PrefectServer, event: str) -> list[dict[str, Any]]:
    """Return all events once the one with that id is among them; the server writes them in batches."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = github_events(server)
        if any(item["id"] == event for item in events):
            return events
        time.sleep(0.25)
    raise AssertionError(f"no event {event}")


def test_a_stranger_learns_nothing_from_a_refusal(receiver: RunningReceiver) -> None:
    strangers = [name for name, row in REFUSED.items() if row[0] in (400, 401, 413)]
    texts = {receiver.post(REFUSED[name][1], **REFUSED[name][2]).text for name in strangers}
    assert texts == {'{"status":"refused"}'}
    for path in ("/docs", "/openapi.json", "/"):
        assert receiver.ask("GET", path, {}).status == 404


def test_a_body_of_no_told_length_is_bounded_too(receiver: RunningReceiver) -> None:
    headers = {**PUSH.headers, "Transfer-Encoding": "chunked"}
    parts = [b"x" * 4096] * (MOST_BYTES // 4096 + 1)
    assert receiver.ask("POST", "/github", headers, iter(parts)).status == 413


def test_no_more_is_read_than_the_length_that_was_told(receiver: RunningReceiver) -> None:
    assert status_of_raw(receiver, "Content-Length: 7") == 400, "seven bytes of it are no JSON object"


def test_a_header_that_is_there_twice_is_neither_of_the_two(receiver: RunningReceiver) -> None:
    length = f"Content-Length: {len(PUSH.body)}"
    assert status_of_raw(receiver, length, "X-GitHub-Event: ping") == 400
    assert status_of_raw(receiver, length, f"X-Hub-Signature-256: {sign(PUSH.body, 'wrong')}") == 401


def status_of_raw(receiver: RunningReceiver, *more: str) -> int:
    """Return the status for PUSH with `more` header lines, written as no HTTP library would."""
    lines = ["POST /github HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in PUSH.headers.items()), *more]
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + PUSH.body)
        return int(connection.recv(65536).split()[1])


def test_an_endless_body_is_not_read(receiver: RunningReceiver) -> None:
    sent_bytes = [0]

    def endless() -> Iterator[bytes]:
        while sent_bytes[0] < 200 * 1024 * 1024:
            sent_bytes[0] += 65536
            yield b"x" * 65536

    headers = {**PUSH.headers, "Transfer-Encoding": "chunked"}
    with contextlib.suppress(ConnectionError):  # it hangs up while we are still sending
        assert receiver.ask("POST", "/github", headers, endless()).status == 413
    assert sent_bytes[0] < 32 * 1024 * 1024


def test_no_secret_and_no_body_is_logged(receiver: RunningReceiver) -> None:
    receiver.post(PUSH, x_hub_signature_256=sign(PUSH.body, "wrong"))
    log = receiver.log.read_text()
    assert "the signature does not hold" in log
    assert SECRET not in log
    assert sign(PUSH.body) not in log


@pytest.fixture
def small_bucket(tmp_path: Path) -> Iterator[RunningReceiver]:
    settings = {"PLUGINYARD_RECEIVER_BURST": "4", "PLUGINYARD_RECEIVER_RATE": "0.1"}
    with run_receiver(tmp_path, "http://127.0.0.1:9/api", **settings) as running:
        yield running


def test_a_client_that_asks_too_often_is_told_when_to_come_back(small_bucket: RunningReceiver) -> None:
    ping = sent("ping", {"repository": {"full_name": REPOSITORY}})
    answers = [small_bucket.post(ping, x_forwarded_for=f"192.0.2.{number}") for number in range(6)]
    assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 11
    assert small_bucket.ask("GET", "/health", {}).status == 200
