"""Answer one registry's challenges for one repository: Basic, or tokens with the scope that is needed.

oras-py encodes Basic; its own backends are not used: they ask for a pull token and reuse it for the push, take the
text of `Basic realm="…"` for an address, and of two challenges mix up the realms.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from oras.auth.utils import get_basic_auth

from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError
from pluginyard.oci import actions_of, choose_challenge, is_transient_status, scope_text
from pluginyard.parsing import load_json
from tasks.doors.registries.access import Credentials
from tasks.doors.registries.answers import RegistryBusyError, denied
from tasks.doors.registries.passwords import PasswordTrial

_CLIENT = "pluginyard"
# Docker's token specification: 60 s where `expires_in` is not said; renewed a little before that.
_DEFAULT_SECONDS = 60
_MARGIN_SECONDS = 10
_PASSWORD_REFUSED = "the registry refuses user name and password (401)"  # noqa: S105 (a sentence)


def _encode(credentials: Credentials) -> str:
    return f"Basic {get_basic_auth(credentials.username, credentials.password)}"


def _is_password(header: str | None) -> bool:
    return header is not None and header.startswith("Basic ")


@dataclass(frozen=True)
class _Challenge:
    realm: str
    """Address of the token service; empty where Basic is wanted, whose realm is a text and no address."""
    service: str


@dataclass(frozen=True)
class _Token:
    scopes: frozenset[str]
    header: str
    expires: float


Fetch = Callable[[str, str, dict[str, str], str | None], requests.Response]
"""Sends (method, address, fields, Authorization) to a token service, once, within the time limits."""


class Authentication:
    """Know what to tell the registry. A refused password is remembered and never sent again."""

    def __init__(
        self, subject: str, credentials: Credentials | None, *, plain_http: bool, fetch: Fetch, trial: PasswordTrial
    ):
        self._subject = subject
        self._credentials = credentials
        self._plain_http = plain_http
        self._fetch = fetch
        self._trial = trial if credentials else PasswordTrial()  # what strangers may see differs by repository
        self._lock = threading.RLock()
        self._challenge: _Challenge | None = None
        self._tokens: list[_Token] = []
        self._refusal = ""

    @property
    def who(self) -> str:
        """Return whose credentials are used, for messages; empty for a stranger."""
        if self._credentials is None:
            return ""
        return f"with the credentials from {self._credentials.origin}"

    @property
    def secrets(self) -> list[str]:
        """Return what must be repeated nowhere, the longest first."""
        known = [token.header.removeprefix("Bearer ") for token in list(self._tokens)]
        if self._credentials is not None:
            known += [self._credentials.password, _encode(self._credentials).removeprefix("Basic ")]
        return sorted(filter(None, known), key=len, reverse=True)

    @property
    def used(self) -> str:
        """Return where the credentials came from that the registry asked for, or `anonymous`."""
        return self._credentials.origin if self._challenge and self._credentials else "anonymous"

    def header_for(self, scopes: frozenset[str]) -> str | None:
        """Return the Authorization for a request that needs `scopes`; None before the first challenge.

        Raises AuthenticationError where the credentials are missing or were refused before.
        """
        with self._lock:
            self._raise_refusal()
            if self._challenge is None:
                return None
            return self._token(self._challenge, scopes) if self._challenge.realm else self._basic()

    def learn(self, response: requests.Response, sent: str | None) -> frozenset[str]:
        """Learn from a 401 how to authenticate; what was `sent` is not sent again. Return the scopes to ask for.

        Raises AuthenticationError where a password was sent already: it is wrong, and tried once only.
        """
        challenge = choose_challenge(response.headers.get("WWW-Authenticate", ""))
        with self._lock:
            if challenge is None:
                raise self._refused("the registry answers 401 and does not say how to authenticate")
            if challenge.scheme == "basic" and _is_password(sent):
                raise self._refuse(_PASSWORD_REFUSED)
            refused = [token for token in self._tokens if token.header == sent]
            self._tokens = [token for token in self._tokens if token.header != sent]
            asked = challenge.parameters
            realm = self._check_realm(asked.get("realm", "")) if challenge.scheme == "bearer" else ""
            self._challenge = _Challenge(realm, asked.get("service", ""))
            return actions_of(asked.get("scope", "")).union(*(token.scopes for token in refused))

    @contextmanager
    def sending(self, header: str | None) -> Iterator[Callable[[requests.Response], None]]:
        """Let a request with `header` be sent; give what is to be told its answer.

        A password that nobody knows to be right waits for its turn, and is not sent once it was refused.
        """
        if not _is_password(header):
            yield lambda _: None
            return
        with self._trial.turn():
            self._raise_refusal()
            yield self._judge

    def _judge(self, response: requests.Response) -> None:
        challenge = choose_challenge(response.headers.get("WWW-Authenticate", ""))
        if response.status_code == 401 and challenge and challenge.scheme == "basic":
            self._trial.refuse(_PASSWORD_REFUSED)
        elif response.status_code < 400 or response.status_code == 404:
            self._trial.take()

    def _raise_refusal(self) -> None:
        if said := self._refusal or self._trial.refused:
            raise self._refused(said)

    def refused_twice(self) -> AuthenticationError:
        """Return the error for a fresh token that does not do: the rights are missing, not the password."""
        return self._refused("the registry does not allow this (401)")

    def _basic(self) -> str:
        if self._credentials is None or self._credentials.is_identity_token:
            raise self._refused("the registry wants a user name and a password")
        return _encode(self._credentials)

    def _token(self, challenge: _Challenge, scopes: frozenset[str]) -> str:
        now = time.monotonic()
        self._tokens = [token for token in self._tokens if token.expires > now]
        known = next((token.header for token in self._tokens if token.scopes >= scopes), None)
        if known:
            return known
        with self._trial.turn():
            self._raise_refusal()
            text, seconds = self._read_token(self._ask(challenge.realm, challenge.service, scopes))
            self._trial.take()
        token = _Token(scopes, f"Bearer {text}", now + seconds - min(_MARGIN_SECONDS, seconds / 2))
        self._tokens.append(token)
        return token.header

    def _check_realm(self, realm: str) -> str:
        """Return the token service's address if credentials may go there: https, or HTTP that was asked for."""
        try:
            parts = urlsplit(realm)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise RegistryError(
                "the registry names no usable token service", subject=self._subject, remedy="check its realm"
            )
        if parts.scheme == "http" and not self._plain_http:
            raise RegistryError(
                f"the registry's token service at {parts.hostname} speaks plain HTTP",
                subject=self._subject,
                remedy="give the token service TLS; credentials are not sent in the clear",
            )
        return realm

    def _ask(self, realm: str, service: str, scopes: frozenset[str]) -> requests.Response:
        fields = {"scope": scope_text(scopes)} | ({"service": service} if service else {})
        if self._credentials is None:
            return self._fetch("GET", realm, fields, None)
        if self._credentials.is_identity_token:
            grant = {"grant_type": "refresh_token", "client_id": _CLIENT}
            return self._fetch("POST", realm, fields | grant | {"refresh_token": self._credentials.password}, None)
        return self._fetch("GET", realm, fields, _encode(self._credentials))

    def _read_token(self, response: requests.Response) -> tuple[str, float]:
        status = response.status_code
        if is_transient_status(status):
            raise RegistryBusyError(
                f"the registry's token service answers {status}",
                subject=self._subject,
                remedy="try again later",
                retry_after=response.headers.get("Retry-After", ""),
            )
        if status == 401:
            raise self._refuse("the registry's token service refuses the credentials (401)")
        if status in {400, 403}:
            raise self._refused(f"the registry's token service refuses ({status})")
        if status != 200:
            raise self._no_token(status)
        try:
            answer: dict[str, Any] = load_json(response.content)
            token = answer.get("token") or answer.get("access_token")
            seconds = float(answer.get("expires_in") or _DEFAULT_SECONDS)
        except (ValueError, AttributeError, TypeError, OverflowError):
            raise self._no_token(status) from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self._no_token(status)
        return token, seconds

    def _no_token(self, status: int) -> PluginyardError:
        return RegistryError(
            f"the registry's token service answers {status} without a token",
            subject=self._subject,
            remedy="check the registry's realm",
        )

    def _refuse(self, said: str) -> AuthenticationError:
        self._refusal = said
        self._trial.refuse(said)
        return self._refused(said)

    def _refused(self, said: str) -> AuthenticationError:
        return denied(said, self._subject, self.who)
