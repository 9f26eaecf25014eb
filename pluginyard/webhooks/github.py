"""GitHub: signature, events and commit statuses.

Other servers speak the same below an address of their own: GitHub Enterprise, and with fewer fields Gitea, Forgejo and
GitBucket, which say neither `created` nor `deleted`. What is missing is taken for what a new tag has.

GitHub reports one new tag up to three times: `push` with the commit, `create` and `release` without. All three have the
key of the tag, so the server starts one run for them, in whatever order they come.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pluginyard.settings import FULL_NAME
from pluginyard.webhooks.dialect import CommitState, Forge, Headers
from pluginyard.webhooks.events import (
    COMMIT,
    TAGS,
    EventRepository,
    IrrelevantError,
    MalformedError,
    RequestedRelease,
    find_text,
    request_call,
    request_tag,
)

MANUAL_EVENT = "publish-plugin"
_ADDRESS = "https://github.com"
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _find_signature(headers: Headers) -> str:
    found = _SIGNATURE.fullmatch(headers.get("x-hub-signature-256", ""))
    return found[1] if found else ""


def _signs(body: bytes, secret: str, signature: str) -> bool:
    return hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), signature)


def _find_repository(payload: Mapping[str, Any]) -> str:
    repository, organization = payload.get("repository"), payload.get("organization")
    if isinstance(repository, Mapping):
        name = repository.get("full_name")
        return name if isinstance(name, str) and FULL_NAME.fullmatch(name) else ""
    login = organization.get("login") if isinstance(organization, Mapping) else None
    return f"{login}/*" if isinstance(login, str) and _OWNER.fullmatch(login) else ""


def _read_push(payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    ref, after = find_text(payload, "ref"), find_text(payload, "after")
    if not ref.startswith(TAGS):
        raise IrrelevantError("not the push of a tag")
    if _is_set(payload, "deleted") or not after.strip("0"):
        raise IrrelevantError("the tag was deleted")
    head = payload.get("head_commit")
    # For an annotated tag `after` is the tag object; the commit it stands for is `head_commit`, which GitBucket lacks.
    commit = find_text(head, "id") if isinstance(head, Mapping) else after
    if not COMMIT.fullmatch(commit):
        raise MalformedError("the push names no commit")
    return replace(request_tag(ref, origin), commit=commit, moved=_is_moved(payload))


def _is_moved(payload: Mapping[str, Any]) -> bool:
    created, before = payload.get("created"), payload.get("before")
    if created is not None:
        return created is not True
    return isinstance(before, str) and bool(before.strip("0"))


def _is_set(payload: Mapping[str, Any], field: str) -> bool:
    """Return whether a field is there with anything but false."""
    return payload.get(field) is not None and payload[field] is not False


def _read_create(payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    if payload.get("ref_type") != "tag":
        raise IrrelevantError("not the creation of a tag")
    return request_tag(find_text(payload, "ref"), origin)


def _read_release(payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    if payload.get("action") != "published":
        raise IrrelevantError("only a release's action published starts something")
    release = payload.get("release")
    if not isinstance(release, Mapping):
        raise MalformedError("the release is missing")
    if _is_set(release, "draft"):
        raise IrrelevantError("the release is a draft")
    return request_tag(find_text(release, "tag_name"), origin)


def _read_workflow_dispatch(payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    workflow = PurePosixPath(find_text(payload, "workflow")).name
    if workflow not in origin.workflows:
        raise IrrelevantError("not a workflow that publishes plugins")
    return request_call(payload.get("inputs"), find_text(payload, "ref"), origin)


def _read_repository_dispatch(payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    if payload.get("action") != MANUAL_EVENT:
        raise IrrelevantError(f"only the event type {MANUAL_EVENT} starts something")
    return request_call(payload.get("client_payload"), find_text(payload, "branch"), origin)


def _choose_api(address: str) -> str:
    return "https://api.github.com" if address == _ADDRESS else f"{address}/api/v3"


def _render_status(
    repository: str, commit: str, state: CommitState, description: str, context: str
) -> tuple[str, dict[str, str]]:
    status = {"state": state, "description": description, "context": context}
    return f"/repos/{repository}/statuses/{commit}", status


GITHUB = Forge(
    name="github",
    address=_ADDRESS,
    delivery_header="x-github-delivery",
    event_header="x-github-event",
    event_pattern=re.compile(r"[a-z][a-z_]{0,63}"),
    ping="ping",
    readers={
        "push": _read_push,
        "create": _read_create,
        "release": _read_release,
        "workflow_dispatch": _read_workflow_dispatch,
        "repository_dispatch": _read_repository_dispatch,
    },
    event_names={"push": "github.push.tag", "create": "github.create.tag", "release": "github.release.published"},
    find_signature=_find_signature,
    signs=_signs,
    find_repository=_find_repository,
    choose_api=_choose_api,
    status_headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    render_status=_render_status,
)
