"""What an answer of a registry means for the person who must act: decided from its status and its words alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError, RegistryUnavailableError
from pluginyard.oci.quirks import ABSENT_CODES, IMAGE_CONFIG
from pluginyard.oci.retries import is_transient_answer
from pluginyard.parsing import load_json

_LONGEST_QUOTE = 300
_LONGEST_READ = 3000
_TYPE_REFUSED = re.compile(r"manifest class|media ?type|unsupported type", re.IGNORECASE)
# distribution-spec v1.1, "Endpoints": what means that a request was done.
_DONE = {
    "GET": frozenset({200, 206}),
    "HEAD": frozenset({200}),
    "POST": frozenset({201, 202}),
    "PUT": frozenset({200, 201, 202, 204}),
    "DELETE": frozenset({202}),
}


class RegistryBusyError(RegistryUnavailableError):
    """The registry answers 429 or 5xx; `retry_after` is what its header says."""

    def __init__(self, message: str, *, subject: str, remedy: str, retry_after: str = "") -> None:
        super().__init__(message, subject=subject, remedy=remedy)
        self.retry_after = retry_after


class AbsentError(RegistryError):
    """The registry says that there is no such manifest or repository: an answer, where one may be missing."""


@dataclass(frozen=True)
class ErrorAnswer:
    """Hold of an answer what says why a request was not done."""

    status: int
    content: bytes = b""
    content_type: str = ""
    retry_after: str = ""

    @property
    def codes(self) -> list[tuple[str, str]]:
        """Return the (code, message) pairs (distribution-spec v1.1, "Error Codes")."""
        try:
            errors = load_json(self.content).get("errors")
        except (ValueError, AttributeError):
            return []
        entries: list[Any] = errors if isinstance(errors, list) else []
        return [(str(each.get("code", "")), str(each.get("message", ""))) for each in entries if isinstance(each, dict)]

    def quote(self, secrets: Iterable[str]) -> str:
        """Return the registry's own words, short, on one line, and without what it must not repeat."""
        words = "; ".join(f"{code}: {text}" if text else code for code, text in self.codes)
        if not words and "html" not in self.content_type:
            words = self.content[:_LONGEST_READ].decode("utf-8", "replace")
        for secret in secrets:
            words = words.replace(secret, "***")
        words = " ".join("".join(char if char.isprintable() else " " for char in words).split())
        return words[:_LONGEST_QUOTE]


def is_done(method: str, status: int) -> bool:
    """Return whether a request is done; the registry may still have done something else than was asked for."""
    return status in _DONE[method]


def error_of(
    answer: ErrorAnswer, subject: str, method: str = "GET", *, who: str = "", secrets: Iterable[str] = ()
) -> PluginyardError:
    """Return the error that an answer of the registry stands for that is not done.

    Of a GET, 404 and 410 mean AbsentError whatever their body is: registries, and what stands before them, send an
    empty one, HTML, text, or JSON of their own. `who` says whose credentials were sent, empty for none; no `secrets`
    are quoted.
    """
    status, words = answer.status, answer.quote(secrets)
    codes = [code for code, _ in answer.codes]
    said = f"the registry answers {status}" + (f" ({words})" if words else "")
    if is_transient_answer(status, codes):
        return RegistryBusyError(said, subject=subject, remedy="try again later", retry_after=answer.retry_after)
    if status in {400, 403, 415} and _TYPE_REFUSED.search(words):
        remedy = f"it refuses a media type: set config_media_type: {IMAGE_CONFIG} for it in pluginyard.yaml"
        return RegistryError(said, subject=subject, remedy=remedy)
    if status in {401, 403}:
        return denied(said, subject, who)
    if "HTTP request to an HTTPS server" in words:
        return RegistryError(said, subject=subject, remedy="the registry speaks HTTPS: leave --plain-http away")
    if status in {404, 410} or ABSENT_CODES.intersection(codes):
        kind = AbsentError if method == "GET" else RegistryError
        return kind(said, subject=subject, remedy="check the host and the path, or create the repository")
    return RegistryError(said, subject=subject, remedy="ask the registry's operator what it refuses")


def error_of_other(answer: ErrorAnswer, subject: str, host: str) -> PluginyardError:
    """Return the error for an answer of `host`, where the registry sent us: not the registry's, and never quoted."""
    said = f"{host}, where the registry sends us, answers {answer.status}"
    if is_transient_answer(answer.status, ()):
        return RegistryBusyError(said, subject=subject, remedy="try again later", retry_after=answer.retry_after)
    return RegistryError(said, subject=subject, remedy="check the registry's storage, and the clock of this machine")


def denied(said: str, subject: str, who: str) -> AuthenticationError:
    """Return the error for credentials that are refused, missing or not allowed to do this."""
    remedy = (
        "check user, password and rights" if who else "set REGISTRY_USERNAME and REGISTRY_PASSWORD, or run docker login"
    )
    return AuthenticationError(f"{said}, asked {who or 'anonymously'}", subject=subject, remedy=remedy)


def parse_tags(content: bytes, subject: str) -> list[str]:
    """Return one page of a list of tags (distribution-spec v1.1, "Listing Tags"); raise RegistryError."""
    try:
        listed = load_json(content).get("tags") or []
    except (ValueError, AttributeError):
        listed = None
    if not isinstance(listed, list):
        raise RegistryError("the answer is no list of tags", subject=subject, remedy="check that this is a registry")
    return [tag for tag in listed if isinstance(tag, str)]
