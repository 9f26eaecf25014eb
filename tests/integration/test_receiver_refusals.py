from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.machine import judged
from tests.machine.github import REPOSITORY, SECRET, TAG, Sent, sent, sign, tag_event
from tests.machine.prefect_server import PrefectServer
from tests.machine.receivers import (
    MOST_BYTES,
    RunningReceiver,
    github_events,
    run_receiver,
    tag_delivery,
    wait_for_event,
)
from tests.machine.refused import MALFORMED, UNBELIEVED, WRONG_BODIES, WRONG_HEADERS, WRONG_NAMES

PUSH = judged.PUSH
REFUSED: dict[str, tuple[int, Sent, dict[str, str | None]]] = {
    **{name: (401, PUSH, changed) for name, changed in UNBELIEVED.items()},
    **{name: (401, delivery, {}) for name, delivery in WRONG_NAMES.items()},
    **{name: (400, delivery, {}) for name, delivery in WRONG_BODIES.items()},
    **{name: (400, PUSH, changed) for name, changed in WRONG_HEADERS.items()},
    **{name: (422, delivery, {}) for name, delivery in MALFORMED.items()},
    # The line ends the headers, and so the request has no body.
    "a line after the signature": (400, PUSH, UNBELIEVED["a line after the signature"]),
    "of a repository nobody trusts": (401, tag_delivery("push", TAG, repository={"full_name": "mallory/x"}), {}),
    "form-encoded": (415, PUSH, {"content_type": "application/x-www-form-urlencoded"}),
    "of no type": (415, PUSH, {"content_type": ""}),
    "too large": (413, tag_delivery("push", TAG, padding="x" * MOST_BYTES), {}),
}


def test_what_is_forged_malformed_or_replayed_leaves_no_run_and_no_event(
    receiver: RunningReceiver, on_tag_server: PrefectServer
) -> None:
    assert len(REFUSED) > 75
    runs, events = ids(on_tag_server.read("flow_runs")), ids(github_events(on_tag_server))
    answers = {name: receiver.write(delivery, **changed) for name, (_, delivery, changed) in REFUSED.items()}
    assert {name: answer.status for name, answer in answers.items()} == {name: row[0] for name, row in REFUSED.items()}
    shown = {answer.text for answer in answers.values() if answer.status != 422}
    assert shown == {'{"status":"refused"}', "Invalid HTTP request received."}, "who knows no secret learns nothing"
    nothing = [tag_event("push-tag-deleted"), tag_event("push-tag-created", f"wasm-go-x-v{'9' * 5000}.0.0")]
    assert [receiver.post(sent("push", payload)).status for payload in nothing] == [200, 200]

    accepted = tag_delivery("push", "wasm-go-block-v1.0.5")
    run = receiver.post(accepted).document["flow_run"]
    replays = [accepted, Sent("push", accepted.body), Sent("create", accepted.body, id=accepted.id)]
    assert [receiver.post(replay).status for replay in replays] == [409, 409, 200]
    found = wait_for_event(on_tag_server, accepted.id)
    assert ids(on_tag_server.read("flow_runs")) - runs == {run}
    (event,) = [event for event in found if event["id"] not in events]
    assert event["event"] == "github.push.tag"
    assert event["resource"]["prefect.resource.id"] == f"github.repository.{REPOSITORY}"
    assert event["related"][0]["prefect.resource.id"] == f"prefect.flow-run.{run}"


def ids(records: list[dict[str, Any]]) -> set[str]:
    return {str(record["id"]) for record in records}


def test_there_is_nothing_else_to_ask_for(receiver: RunningReceiver) -> None:
    for path in ("/docs", "/openapi.json", "/", "/github/"):
        assert receiver.ask("GET", path, {}).status == 404


def test_a_body_of_no_declared_length_is_bounded_too(receiver: RunningReceiver) -> None:
    headers = {**PUSH.headers, "Transfer-Encoding": "chunked"}
    parts = [b"x" * 4096] * (MOST_BYTES // 4096 + 1)
    assert receiver.ask("POST", "/github", headers, iter(parts)).status == 413


def test_no_more_is_read_than_the_declared_length(receiver: RunningReceiver) -> None:
    assert receiver.write(PUSH, "Content-Length: 7").status == 400, "seven bytes of it are no JSON object"


def test_a_header_that_is_there_twice_is_neither_of_the_two(receiver: RunningReceiver) -> None:
    assert receiver.write(PUSH, "X-GitHub-Event: ping").status == 400
    assert receiver.write(PUSH, f"X-Hub-Signature-256: {sign(PUSH.body, 'wrong')}").status == 401
    assert receiver.write(PUSH, "Content-Type: text/plain").status == 415


def test_thousands_of_headers_hold_up_nobody(receiver: RunningReceiver) -> None:
    before = time.monotonic()
    assert receiver.write(PUSH, *["a:"] * 12_000, x_hub_signature_256=None).status == 401
    assert time.monotonic() - before < 3


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


def test_a_secret_is_changed_without_a_restart(receiver: RunningReceiver) -> None:
    file = receiver.log.parent / "secrets.yaml"
    before = file.read_text()
    next_ping = sent("ping", {"repository": {"full_name": REPOSITORY}}, "a secret that nobody knew before")
    assert receiver.post(next_ping).status == 401
    try:
        replace(file, f"{REPOSITORY}: {next_ping.secret}\n")
        assert [receiver.post(ping).status for ping in (next_ping, PING)] == [200, 401]
        replace(file, f"{REPOSITORY}: [{next_ping.secret}\n")
        assert [receiver.post(ping).status for ping in (next_ping, PING)] == [200, 401], "half a file changes nothing"
        assert "the secrets of before still hold" in receiver.log.read_text()
        assert next_ping.secret not in receiver.log.read_text()
    finally:
        replace(file, before)
    assert receiver.post(PING).status == 200


def replace(file: Path, text: str) -> None:
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


PING = sent("ping", {"repository": {"full_name": REPOSITORY}})


def test_text_of_a_sender_forges_no_line_of_the_log(receiver: RunningReceiver) -> None:
    before = len(receiver.log.read_text().splitlines())
    assert receiver.write(PING, "X-Forwarded-For: \x1b[2Jforged\x85started", x_hub_signature_256="").status == 401
    (line,) = receiver.log.read_text().splitlines()[before:]
    assert "from \\x1b[2JforgedÂ\\x85started: no SHA-256 signature" in line


def test_a_connection_carries_one_request(receiver: RunningReceiver) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with receiver.connect() as connection:
        connection.settimeout(4)
        connection.sendall(request * 3)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 ") == 1


def test_a_limit_that_the_proxy_holds_now_is_ignored_and_named_once(tmp_path: Path) -> None:
    gone = {"PLUGINYARD_RECEIVER_RATE": "0.001", "PLUGINYARD_RECEIVER_TRUST_PROXY": "*"}
    with run_receiver(tmp_path, "http://127.0.0.1:9/api", "--trust-proxy", "192.0.2.7", **gone) as running:
        assert {running.post(PING).status for _ in range(3)} == {200}
        log = running.log.read_text()
    assert log.count("ignored, the proxy in front holds these limits") == 1
    assert "PLUGINYARD_RECEIVER_RATE, PLUGINYARD_RECEIVER_TRUST_PROXY, --trust-proxy: " in log
