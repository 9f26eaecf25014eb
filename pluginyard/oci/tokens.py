"""Tokens as Docker's token specification has them: their scopes, where they are asked for, what is answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pluginyard.errors import RegistryError
from pluginyard.parsing import load_json

# Docker's token specification: 60 s where `expires_in` is not said.
_DEFAULT_SECONDS = 60


def scopes_of(repository: str, actions: str) -> frozenset[str]:
    """Return the scopes for `actions` (`pull` or `pull,push`) on a repository, one action each."""
    return frozenset(f"repository:{repository}:{action}" for action in actions.split(","))


def actions_of(scope: str) -> frozenset[str]:
    """Split `repository:a:pull,push` into one scope an action, so that sets of them can be compared."""
    heads = (one.rpartition(":") for one in scope.split())
    return frozenset(f"{head}:{action}" for head, _, actions in heads for action in actions.split(",") if head)


def scope_text(scopes: frozenset[str]) -> str:
    """Join the scopes as token services expect them: the actions on one repository together."""
    actions: dict[str, list[str]] = {}
    for scope in sorted(scopes):
        head, _, action = scope.rpartition(":")
        actions.setdefault(head, []).append(action)
    return " ".join(f"{head}:{','.join(listed)}" for head, listed in actions.items())


def check_realm(realm: str, subject: str, *, plain_http: bool) -> str:
    """Return a token service's address if credentials may go there: https, or http that was asked for."""
    try:
        parts = urlsplit(realm)
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or not host.isprintable() or parts.username:
        raise RegistryError("the registry names no usable token service", subject=subject, remedy="check its realm")
    if parts.scheme == "http" and not plain_http:
        raise RegistryError(
            f"the registry's token service at {host} speaks plain HTTP",
            subject=subject,
            remedy="give the token service TLS; credentials are not sent in the clear",
        )
    return realm


def parse_token(content: bytes) -> tuple[str, float] | None:
    """Return the token in a token service's answer and the seconds it is valid; None where there is none."""
    try:
        answer: dict[str, Any] = load_json(content)
        token = answer.get("token") or answer.get("access_token")
        seconds = float(answer.get("expires_in") or _DEFAULT_SECONDS)
    except (ValueError, AttributeError, TypeError, OverflowError):
        return None
    return (token, seconds) if isinstance(token, str) and token.isascii() and token.isprintable() else None
