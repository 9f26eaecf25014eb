"""Another forge is a file and a row: here GitLab's dialect, with a token for a signature, a project, a tag's push."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from pluginyard.settings import load_trusted
from pluginyard.webhooks import (
    CommitState,
    Delivery,
    Forge,
    IgnoredDelivery,
    RefusedDelivery,
    StatusApi,
    judge_delivery,
    plan_status,
)
from pluginyard.webhooks.events import EventRepository, IrrelevantError, RequestedRelease, find_text, request_tag
from tests.machine.github import TAG

SECRET = "a token of these tests only"
COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


def read_tag_push(payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    if not find_text(payload, "after").strip("0"):
        raise IrrelevantError("the tag was deleted")
    return request_tag(find_text(payload, "ref").removeprefix("refs/tags/"), origin)


def render_status(
    repository: str, commit: str, state: CommitState, description: str, context: str
) -> tuple[str, dict[str, str]]:
    states = {"pending": "running", "success": "success", "failure": "failed", "error": "canceled"}
    document = {"state": states[state], "description": description, "name": context}
    return f"/projects/{quote(repository, safe='')}/statuses/{commit}", document


GITLAB = Forge(
    name="gitlab",
    address="https://gitlab.com",
    delivery_header="x-gitlab-event-uuid",
    event_header="x-gitlab-event",
    event_pattern=re.compile(r"[A-Z][A-Za-z ]{0,63}"),
    ping="",
    readers={"Tag Push Hook": read_tag_push},
    event_names={"Tag Push Hook": "gitlab.push.tag"},
    find_signature=lambda headers: headers.get("x-gitlab-token", ""),
    signs=lambda body, secret, signature: hmac.compare_digest(secret.encode(), signature.encode()),
    find_repository=lambda payload: payload["project"]["path_with_namespace"],
    choose_api=lambda address: f"{address}/api/v4",
    status_headers={},
    render_status=render_status,
)
REPOSITORIES = load_trusted(
    "gitlab",
    GITLAB.address,
    {"PLUGINYARD_GITLAB_SECRET": SECRET.replace(" ", "-"), "PLUGINYARD_GITLAB_REPOSITORIES": "acme/plugins"},
    lambda path: b"",
)


def judge(token: str = SECRET.replace(" ", "-"), after: str = COMMIT) -> Delivery | IgnoredDelivery | RefusedDelivery:
    headers = {
        "x-gitlab-token": token,
        "x-gitlab-event": "Tag Push Hook",
        "x-gitlab-event-uuid": "0e3c7d8e-2f6a-4c5b-9d1e-7a8b9c0d1e2f",
    }
    project = {"path_with_namespace": "acme/plugins"}
    body = {"object_kind": "tag_push", "ref": f"refs/tags/{TAG}", "after": after, "project": project}
    return judge_delivery(GITLAB, headers, json.dumps(body).encode(), REPOSITORIES)


def test_its_deliveries_are_judged_by_its_own_dialect() -> None:
    found = judge()
    assert isinstance(found, Delivery)
    assert found.parameters == {"request": {"repository": "https://gitlab.com/acme/plugins.git", "tag": TAG}}
    assert (found.event_name, found.idempotency_key) == ("gitlab.push.tag", f"release:acme/plugins:{TAG}")
    assert set(found.labels) == {"gitlab.delivery", "gitlab.event", "gitlab.repository"}
    assert isinstance(judge(token="another token, as long as ours"), RefusedDelivery)
    assert isinstance(judge(after="0" * 40), IgnoredDelivery)


@pytest.mark.parametrize("state", ["pending", "error"])
def test_its_statuses_are_rendered_by_its_own_dialect(state: CommitState) -> None:
    api = StatusApi(GITLAB, "https://gitlab.com/api/v4", "gitlab.com", "glpat-x")
    request = plan_status(api, "acme/plugins", COMMIT, state, "publishing", context="pluginyard/x")
    assert request.url == f"https://gitlab.com/api/v4/projects/acme%2Fplugins/statuses/{COMMIT}"
    assert request.document["state"] == {"pending": "running", "error": "canceled"}[state]
