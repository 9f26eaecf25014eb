"""What an event of a forge asks for: the release that a tag or a manual call stands for.

The payload's signature is checked before (`pluginyard.webhooks.deliveries`); how events are written is in the file of
each forge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from pluginyard.errors import RequestError
from pluginyard.forms import PublishRequest
from pluginyard.releases import choose_release, parse_release_tag, release_key

TAGS, HEADS = "refs/tags/", "refs/heads/"
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z0-9]{1,40}")
_LONGEST_NAME = 128
_REF = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\]{1,255}")


class IrrelevantError(Exception):
    """The event starts nothing, and why. Never leaves the judge."""


class MalformedError(Exception):
    """The payload is not what a forge sends for its event, and why. Never leaves the judge."""


@dataclass(frozen=True)
class EventRepository:
    """Say which repository an event is of, and what the site grants it; nothing here is taken from the payload."""

    repository: str
    clone_url: str
    workflows: Collection[str] = ()


@dataclass(frozen=True)
class RequestedRelease:
    """Hold what an event asks for, within its repository."""

    request: PublishRequest
    tag: str = ""
    commit: str = ""
    key: str = ""
    """Idempotency key of the release; empty for a manual call, which only its content identifies."""
    moved: bool = False
    """The tag was there before, at another commit."""


EventReader: TypeAlias = Callable[[Mapping[str, Any], EventRepository], RequestedRelease]


def request_tag(tag: str, origin: EventRepository) -> RequestedRelease:
    """Return the release of a tag (its name, or a whole ref); raise IrrelevantError for one that is no release tag."""
    tag = tag.removeprefix(TAGS)
    try:
        parse_release_tag(tag)
    except RequestError as error:
        raise IrrelevantError(f"{error.message}: {tag[:80]!a}; {error.remedy}") from None
    request = PublishRequest(repository=origin.clone_url, tag=tag)
    return RequestedRelease(request, tag, key=release_key(origin.clone_url, tag))


def request_call(inputs: Any, ref: str, origin: EventRepository) -> RequestedRelease:
    """Return what the inputs of the replaced workflow ask for (plugin_type, plugin_name, version); `ref` is its branch.

    Raises MalformedError.
    """
    if not isinstance(inputs, Mapping):
        raise MalformedError("the call has no inputs")
    name, version = find_text(inputs, "plugin_name"), _optional_text(inputs, "version")
    language = _optional_text(inputs, "plugin_type") or "go"  # the first workflow knew Go only
    branch = _optional_text(inputs, "ref") or ref
    if not _REF.fullmatch(branch) or not branch.isprintable():  # no lone surrogate, no bidi control
        raise MalformedError("the ref is no name of a branch, tag or commit")
    if not _LANGUAGE.fullmatch(language) or len(name) > _LONGEST_NAME:
        raise MalformedError("plugin_type or plugin_name is no name")
    try:
        choose_release(language, name, version)
        request = PublishRequest(
            repository=origin.clone_url,
            plugin=name,
            language=language,
            version=version,
            ref=branch.removeprefix(HEADS).removeprefix(TAGS),
        )
    except (RequestError, ValidationError) as error:
        raise MalformedError(error.message if isinstance(error, RequestError) else "the inputs do not fit") from None
    return RequestedRelease(request)


def find_text(payload: Mapping[str, Any], key: str) -> str:
    """Return the text of a field; raise MalformedError where there is none."""
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
