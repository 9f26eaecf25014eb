from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pluginyard.errors import StatusError, StatusUnavailableError
from pluginyard.webhooks import find_status_apis, plan_status
from tasks.doors import statuses
from tests.machine.status_forge import StatusForge, run_status_forge

COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
TOKEN = "ghp_a-token-of-these-tests"
RUN = "https://prefect.example.com/runs/flow-run/7"


@pytest.fixture
def forge() -> Iterator[StatusForge]:
    with run_status_forge() as running:
        yield running


def post(forge: StatusForge, **changed: str) -> None:
    asked = {
        "repository": "acme/plugins",
        "commit": COMMIT,
        "target_url": RUN,
        "description": "published request-block 1.0.0",
        "context": "pluginyard/request-block",
    } | changed
    environment = {"PLUGINYARD_GITHUB_TOKEN": TOKEN, "PLUGINYARD_GITHUB_API": forge.url}
    (api,) = find_status_apis(environment)
    statuses.post_status(plan_status(api, state="success", **asked), api.token)


def test_a_status_is_one_call_with_the_link_to_the_run(forge: StatusForge) -> None:
    post(forge)
    (call,) = forge.calls
    assert (call.method, call.path) == ("POST", f"/repos/acme/plugins/statuses/{COMMIT}")
    assert call.document == {
        "state": "success",
        "target_url": RUN,
        "description": "published request-block 1.0.0",
        "context": "pluginyard/request-block",
    }
    assert call.headers["authorization"] == f"Bearer {TOKEN}"
    assert call.headers["accept"] == "application/vnd.github+json"


def test_a_long_description_is_cut_to_what_the_forge_takes(forge: StatusForge) -> None:
    post(forge, description="failed:\n" + "x" * 300)
    text = forge.calls[0].document["description"]
    assert len(text) == 140
    assert text.startswith("failed: xxx")


def test_an_answer_that_says_later_is_asked_again(forge: StatusForge) -> None:
    forge.answers += [
        (502, {}, "bad gateway"),
        (403, {"Retry-After": "1"}, '{"message": "You have exceeded a secondary rate limit"}'),
    ]
    before = time.monotonic()
    post(forge)
    assert len(forge.calls) == 3
    assert time.monotonic() - before >= 1, "as long as it asks for"


def test_after_three_tries_it_is_given_up(forge: StatusForge) -> None:
    forge.answers += [(503, {"Retry-After": "0"}, "")] * 9
    with pytest.raises(StatusUnavailableError) as raised:
        post(forge)
    assert raised.value.transient
    assert len(forge.calls) == 3


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
def test_an_answer_that_says_no_is_asked_once(forge: StatusForge, status: int) -> None:
    forge.answers.append((status, {"Location": f"{forge.url}/elsewhere"}, '{"message": "No commit found for SHA"}'))
    with pytest.raises(StatusError) as raised:
        post(forge)
    assert len(forge.calls) == 1
    assert not raised.value.transient
    assert str(status) in raised.value.message
    assert ("No commit found for SHA" in raised.value.message) is (status != 301)  # requests drops that body itself
    assert raised.value.remedy


def test_the_token_is_in_no_error_and_no_log(forge: StatusForge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forge.answers += [(500, {}, "{}"), (401, {}, f'{{"message": "bad token {TOKEN}"}}')]
    with pytest.raises(StatusError) as raised:
        post(forge)
    assert "bad token ***" in str(raised.value)
    assert TOKEN not in f"{raised.value!r} {raised.value.__cause__!r} {caplog.text}"


def test_a_password_of_netrc_does_not_take_the_place_of_the_token(
    forge: StatusForge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    post(forge)
    assert forge.calls[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_token_does_not_travel_in_the_clear() -> None:
    with pytest.raises(StatusError, match="HTTPS only"):
        post(StatusForge("http://forge.example.com"))


@pytest.mark.parametrize(
    "changed",
    [{"repository": "acme"}, {"repository": "../x"}, {"repository": "acme/.."}, {"commit": "main"}, {"commit": ""}],
)
def test_only_a_full_commit_of_a_repository_has_a_status(forge: StatusForge, changed: dict[str, str]) -> None:
    with pytest.raises(StatusError):
        post(forge, **changed)
    assert forge.calls == []


def test_a_forge_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuses, "SECONDS", (1.0, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = time.monotonic()
        with pytest.raises(StatusUnavailableError, match="does not answer"):
            post(StatusForge(f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert time.monotonic() - before < 5


def test_a_forge_that_is_not_there_is_told_without_its_address() -> None:
    with pytest.raises(StatusUnavailableError) as raised:
        post(StatusForge("http://127.0.0.1:9"))
    assert raised.value.transient
    assert "127.0.0.1" not in str(raised.value)
