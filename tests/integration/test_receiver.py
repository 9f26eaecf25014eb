from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.machine.github import REPOSITORY, SECRET, Sent, call, recorded, sent
from tests.machine.loopback import free_port
from tests.machine.prefect_server import PrefectServer
from tests.machine.receivers import (
    ROOT,
    RunningReceiver,
    forwarded,
    run_receiver,
    runs_of,
    tag_delivery,
    wait_for_event,
)

OTHER_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_signed_delivery_is_one_scheduled_run_before_it_is_acknowledged(
    receiver: RunningReceiver, on_tag_server: PrefectServer
) -> None:
    tag = "wasm-go-request-block-v1.0.1"
    before = time.monotonic()
    answer = receiver.post(tag_delivery("push", tag))
    assert time.monotonic() - before < 10
    (run,) = runs_of(on_tag_server, tag)
    assert (answer.status, answer.document) == (202, {"status": "started", "flow_run": run["id"]})
    assert run["state_type"] == "SCHEDULED"
    assert run["parameters"] == {"request": {"repository": f"https://github.com/{REPOSITORY}.git", "tag": tag}}
    assert set(run["tags"]) >= {"github", REPOSITORY}


def test_push_create_and_release_of_one_tag_start_one_run(
    receiver: RunningReceiver, on_tag_server: PrefectServer
) -> None:
    tag = "wasm-rust-block-v2.0.0-rc.1"
    answers = [receiver.post(tag_delivery(event, tag)) for event in ("release", "push", "create")]
    assert [answer.status for answer in answers] == [202, 202, 202]
    assert [answer.document["status"] for answer in answers] == ["started", "known", "known"]
    assert [run["id"] for run in runs_of(on_tag_server, tag)] == [answers[0].document["flow_run"]]


def test_a_tag_set_again_at_another_commit_is_run_again_and_only_once(
    receiver: RunningReceiver, on_tag_server: PrefectServer
) -> None:
    tag = "wasm-go-block-v1.0.2"
    again: dict[str, Any] = {"after": OTHER_COMMIT, "head_commit": {"id": OTHER_COMMIT}}
    first = receiver.post(tag_delivery("push", tag)).document["flow_run"]
    second = receiver.post(tag_delivery("push", tag, **again)).document["flow_run"]
    third = receiver.post(tag_delivery("push", tag, **again, forced=True)).document
    assert third == {"status": "known", "flow_run": second}
    assert sorted(run["id"] for run in runs_of(on_tag_server, tag)) == sorted([first, second])


def test_a_manual_call_starts_the_plugin_it_names(receiver: RunningReceiver, on_tag_server: PrefectServer) -> None:
    inputs = {"plugin_type": "rust", "plugin_name": "called-by-hand", "version": "3.0.0"}
    payload = call("workflow-dispatch", inputs, repository={"full_name": REPOSITORY})
    assert receiver.post(sent("workflow_dispatch", payload)).status == 202
    (run,) = runs_of(on_tag_server, "called-by-hand")
    assert run["parameters"]["request"] == {
        "repository": f"https://github.com/{REPOSITORY}.git",
        "plugin": "called-by-hand",
        "language": "rust",
        "version": "3.0.0",
        "ref": "main",
    }


def test_a_tag_of_gitea_starts_its_run(receiver: RunningReceiver, on_tag_server: PrefectServer) -> None:
    fixture = json.loads((ROOT / "tests" / "fixtures" / "gitea" / "push-tag.json").read_text())
    tag = "wasm-go-block-v1.0.8"
    delivery = sent("push", fixture["body"] | {"ref": f"refs/tags/{tag}", "repository": {"full_name": REPOSITORY}})
    own = {"X-Gitea-Signature": delivery.headers["X-Hub-Signature-256"].removeprefix("sha256=")}
    answer = receiver.ask("POST", "/github", fixture["headers"] | delivery.headers | own, delivery.body)
    assert (answer.status, answer.document["status"]) == (202, "started")
    assert [run["id"] for run in runs_of(on_tag_server, tag)] == [answer.document["flow_run"]]


def test_a_ping_is_answered_and_starts_nothing(receiver: RunningReceiver) -> None:
    answer = receiver.post(sent("ping", {**recorded("ping"), "repository": {"full_name": REPOSITORY}}))
    assert (answer.status, answer.document["status"]) == (200, "ignored")


def test_the_ping_of_the_guide_is_answered(receiver: RunningReceiver) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "receiver.md").read_text(encoding="utf-8")
    (script,) = [text for text in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "openssl dgst" in text]
    environment = {**os.environ, "NO_PROXY": "*"}
    ours = f"SECRET={shlex.quote(SECRET)} RECEIVER=http://127.0.0.1:{receiver.port}\n{script.split(chr(10), 1)[1]}"
    ours = ours.replace("acme/plugins", REPOSITORY)
    done = subprocess.run(["sh", "-ec", ours], env=environment, capture_output=True, text=True, timeout=30)
    assert "its secret is right" in done.stdout, done


def test_without_a_server_or_a_secret_it_does_not_start(tmp_path: Path) -> None:
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT_", "PLUGINYARD_"))}
    shown = []
    for environment in ({}, {"PREFECT_API_URL": "http://127.0.0.1:9/api"}):
        done = subprocess.run(
            [sys.executable, "-m", "deployments.receiver", "--port", str(free_port())],
            cwd=ROOT,
            env={**plain, "PREFECT_HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 3
        shown.append(done.stderr)
    assert "PREFECT_API_URL: no Prefect server is named" in shown[0]
    assert "PLUGINYARD_GITHUB_SECRETS_FILE: no repository is trusted" in shown[1]


def test_a_replay_is_refused_by_its_id_and_by_its_body(receiver: RunningReceiver, on_tag_server: PrefectServer) -> None:
    tag = "wasm-go-block-v1.0.3"
    delivery = tag_delivery("push", tag)
    assert receiver.post(delivery).status == 202
    assert receiver.post(delivery).status == 409
    assert receiver.post(Sent("push", delivery.body)).status == 409, "the same body under another id"
    assert len(runs_of(on_tag_server, tag)) == 1


def test_a_replay_after_a_restart_starts_nothing_and_leaves_no_event(
    receiver: RunningReceiver, on_tag_server: PrefectServer, tmp_path: Path
) -> None:
    tag = "wasm-go-block-v1.0.4"
    payload = call("repository-dispatch", {"plugin_name": "replayed"}, repository={"full_name": REPOSITORY})
    deliveries = [tag_delivery("push", tag), sent("repository_dispatch", payload)]
    first = [receiver.post(delivery).document["flow_run"] for delivery in deliveries]
    for delivery in deliveries:
        wait_for_event(on_tag_server, delivery.id)
    with run_receiver(tmp_path, on_tag_server.url) as restarted:
        again = [restarted.post(Sent(delivery.event, delivery.body)).document for delivery in deliveries]
        assert again == [{"status": "known", "flow_run": run} for run in first]
        after = tag_delivery("release", tag)
        assert restarted.post(after).document["flow_run"] == first[0]
        events = [event["event"] for event in wait_for_event(on_tag_server, after.id) if event_is_of(event, first)]
    assert sorted(events) == ["github.push.tag", "github.release.published", "github.repository_dispatch"]
    assert len(runs_of(on_tag_server, tag)) == len(runs_of(on_tag_server, "replayed")) == 1


def event_is_of(event: dict[str, Any], runs: list[str]) -> bool:
    return event["payload"]["flow_run"] in runs


def test_a_delivery_that_could_not_be_stored_can_be_sent_again(on_tag_server: PrefectServer, tmp_path: Path) -> None:
    tag = "wasm-go-block-v1.0.6"
    delivery, port = tag_delivery("push", tag), free_port()
    with run_receiver(tmp_path, f"http://127.0.0.1:{port}/api") as receiver:
        before = time.monotonic()
        refused = receiver.post(delivery)
        assert (refused.status, refused.text) == (503, '{"status":"refused"}')
        assert time.monotonic() - before < 10, "GitHub waits ten seconds"
        with forwarded(port, on_tag_server.url):
            assert receiver.post(delivery).status == 202
    assert len(runs_of(on_tag_server, tag)) == 1


def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        run_receiver(
            tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/api", PLUGINYARD_RECEIVER_SECONDS="1"
        ) as receiver,
    ):
        before = time.monotonic()
        assert receiver.post(tag_delivery("push", "wasm-go-block-v1.0.7")).status == 503
        assert time.monotonic() - before < 5
