"""What an event of GitHub's asks for: the release that a push, create, release or manual call stands for.

The payload's signature has been checked before (`pluginyard.webhooks.deliveries`). GitHub tells of one new tag up to
three times: `push` with the commit, `create` and `release` without. All three have the key of the tag, so the server
starts one run for them, in whatever order they come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from pluginyard.errors import RequestError
from pluginyard.forms import PublishRequest
from pluginyard.releases import choose_release, parse_release_tag, release_key

MANUAL_EVENT = "publish-plugin"
_TAGS, _HEADS = "refs/tags/", "refs/heads/"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z0-9]{1,40}")
_LONGEST_NAME = 128
_REF = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\]{1,255}")


class IrrelevantError(Exception):
    """The event starts nothing, and why. Never leaves the judge."""


class MalformedError(Exception):
    """The payload is not what GitHub sends for its event, and why. Never leaves the judge."""


@dataclass(frozen=True)
class EventRepository:
    """Say which repository an event is of, and what the site grants it; nothing here is the payload's word."""

    repository: str
    clone_url: str
    workflows: Collection[str] = ()


@dataclass(frozen=True)
class Asked:
    """What an event asks for, within its repository."""

    request: PublishRequest
    tag: str = ""
    commit: str = ""
    key: str = ""
    """What tells this wish from others; empty for a manual call, which is told by its content."""
    moved: bool = False
    """The tag was there before, at another commit."""


def read_event(event: str, payload: Mapping[str, Any], origin: EventRepository) -> Asked:
    """Return what `event` asks for; raise IrrelevantError or MalformedError with the reason."""
    reader = _READERS.get(event)
    if reader is None:
        raise IrrelevantError(f"the event {event} starts nothing")
    return reader(payload, origin)


def _read_push(payload: Mapping[str, Any], origin: EventRepository) -> Asked:
    ref, after = _text(payload, "ref"), _text(payload, "after")
    if not ref.startswith(_TAGS):
        raise IrrelevantError("not the push of a tag")
    if payload.get("deleted") is not False or not after.strip("0"):
        raise IrrelevantError("the tag was deleted")
    head = payload.get("head_commit")
    # For an annotated tag `after` is the tag object; the commit it stands for is `head_commit`.
    commit = _text(head, "id") if isinstance(head, Mapping) else after
    if not _COMMIT.fullmatch(commit):
        raise MalformedError("the push names no commit")
    asked = _for_tag(ref.removeprefix(_TAGS), origin)
    return replace(asked, commit=commit, moved=payload.get("created") is not True)


def _read_create(payload: Mapping[str, Any], origin: EventRepository) -> Asked:
    if payload.get("ref_type") != "tag":
        raise IrrelevantError("not the creation of a tag")
    return _for_tag(_text(payload, "ref"), origin)


def _read_release(payload: Mapping[str, Any], origin: EventRepository) -> Asked:
    if payload.get("action") != "published":
        raise IrrelevantError("only a release's action published starts something")
    release = payload.get("release")
    if not isinstance(release, Mapping):
        raise MalformedError("the release is missing")
    if release.get("draft") is not False:
        raise IrrelevantError("the release is a draft")
    return _for_tag(_text(release, "tag_name"), origin)


def _read_workflow_dispatch(payload: Mapping[str, Any], origin: EventRepository) -> Asked:
    workflow = PurePosixPath(_text(payload, "workflow")).name
    if workflow not in origin.workflows:
        raise IrrelevantError("not a workflow that publishes plugins")
    return _for_call(payload.get("inputs"), _text(payload, "ref"), origin)


def _read_repository_dispatch(payload: Mapping[str, Any], origin: EventRepository) -> Asked:
    if payload.get("action") != MANUAL_EVENT:
        raise IrrelevantError(f"only the event type {MANUAL_EVENT} starts something")
    return _for_call(payload.get("client_payload"), _text(payload, "branch"), origin)


def _for_tag(tag: str, origin: EventRepository) -> Asked:
    try:
        parse_release_tag(tag)
    except RequestError as error:
        raise IrrelevantError(f"{error.message}: {tag[:80]!a}; {error.remedy}") from None
    request = PublishRequest(repository=origin.clone_url, tag=tag)
    return Asked(request, tag, key=release_key(origin.clone_url, tag))


def _for_call(inputs: Any, ref: str, origin: EventRepository) -> Asked:
    """Read the inputs of the workflow that is replaced: plugin_type, plugin_name, version."""
    if not isinstance(inputs, Mapping):
        raise MalformedError("the call has no inputs")
    name, version = _text(inputs, "plugin_name"), _optional_text(inputs, "version")
    language = _optional_text(inputs, "plugin_type") or "go"  # the first workflow knew Go only
    branch = _optional_text(inputs, "ref") or ref
    if (
        not _REF.fullmatch(branch) or not branch.isprintable()
    ):  # no half of a character, nothing that turns a log around
        raise MalformedError("the ref is no name of a branch, tag or commit")
    if not _LANGUAGE.fullmatch(language) or len(name) > _LONGEST_NAME:
        raise MalformedError("plugin_type or plugin_name is no name")
    try:
        choose_release(language, name, version)
        request = PublishRequest(
            repository=origin.clone_url, plugin=name, language=language, version=version, ref=_short(branch)
        )
    except (RequestError, ValidationError) as error:
        raise MalformedError(error.message if isinstance(error, RequestError) else "the inputs do not fit") from None
    return Asked(request)


def _short(ref: str) -> str:
    return ref.removeprefix(_HEADS).removeprefix(_TAGS)


def _text(payload: Mapping[str, Any], key: str) -> str:
    value = payload.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{key} is missing")
    return value


def _optional_text(payload: Mapping[str, Any], key: str) -> str:
    value = payload.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedError(f"{key} is no text")
    return value.strip()


_READERS: Mapping[str, Callable[[Mapping[str, Any], EventRepository], Asked]] = {
    "push": _read_push,
    "create": _read_create,
    "release": _read_release,
    "workflow_dispatch": _read_workflow_dispatch,
    "repository_dispatch": _read_repository_dispatch,
}
