"""Answer one registry's challenges for one repository: Basic, or tokens with the scopes that are needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import requests
from oras.auth.base import AuthBackend
from oras.container import Container

from pluginyard import oci
from pluginyard.errors import AuthenticationError, RegistryError
from tasks.doors.registries.client.connection import AskedFor, Call, Connection, LoginState

_CLIENT = "pluginyard"
_MARGIN_SECONDS = 10
"""Renew a token so long before it expires."""
_PASSWORD_REFUSED = "the registry refuses user name and password (401)"  # noqa: S105 (a sentence)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class _Token:
    scopes: frozenset[str]
    header: str
    expires: float


class ScopedAuthentication(AuthBackend):  # type: ignore[misc]  # oras-py has no types
    """Know what to send a registry that asks who we are. A refused password is remembered and never sent again.

    An auth backend of oras-py, in place of its own: those take a pull token for the push as well (`token`), take the
    text of `Basic realm="…"` for an address and send the password there, mix up the realms of two challenges, know
    no expiry and no identity tokens, and have no time limits.
    """

    def __init__(self, connection: Connection, subject: str):
        super().__init__()
        self._connection, self._subject = connection, subject
        self._credentials = known = connection.credentials
        if known and not known.is_identity_token:
            self.set_basic_auth(known.username, known.password)
        self.login = connection.login if known else LoginState()  # what is open to all differs by repository
        self._lock = threading.RLock()
        self._tokens: list[_Token] = []
        self._refusal = ""

    @property
    def who(self) -> str:
        """Return whose credentials are used, for messages; empty for none."""
        return f"with the credentials from {self._credentials.origin}" if self._credentials else ""

    @property
    def secrets(self) -> list[str]:
        """Return what must be repeated nowhere, the longest first."""
        known = [token.header.removeprefix("Bearer ") for token in list(self._tokens)]
        if self._credentials is not None:
            known += [self._credentials.password, getattr(self, "_basic_auth", "")]
        return sorted(filter(None, known), key=len, reverse=True)

    @property
    def used(self) -> str:
        """Return where the credentials came from that the registry asked for, or `anonymous`."""
        return self._credentials.origin if self.is_asked and self._credentials else "anonymous"

    @property
    def is_asked(self) -> bool:
        """Return whether the registry has asked who we are."""
        return self.login.asked is not None

    @property
    def is_basic(self) -> bool:
        """Return whether the registry asks for user name and password themselves."""
        return self.login.asked is not None and not self.login.asked.realm

    def load_configs(self, container: Container, configs: list[str] | None = None) -> None:
        """Read no configuration: oras-py would have Docker's win over what was given; see credentials.py."""

    def get_auth_header(self, scopes: frozenset[str] = frozenset()) -> str:
        """Return the Authorization for a request that needs `scopes`; empty before the first challenge.

        Raises AuthenticationError where the credentials are missing or were refused before.
        """
        with self._lock:
            self._raise_refusal()
            if self.login.asked is None:
                return ""
            return self._token(self.login.asked, scopes) if self.login.asked.realm else self._basic()

    def authenticate_request(self, original: requests.Response, sent: str) -> frozenset[str]:
        """Learn from a 401 how to authenticate; what was `sent` is not sent again. Return the scopes to ask for.

        Raises AuthenticationError where a password was sent already: it is wrong, and tried once only.
        """
        challenge = oci.choose_challenge(original.headers.get("WWW-Authenticate", ""))
        with self._lock:
            if challenge is None:
                raise self._refused("the registry answers 401 and does not say how to authenticate")
            if challenge.scheme == "basic" and _is_password(sent):
                raise self.refused_twice() if self.login.accepted else self._refuse(_PASSWORD_REFUSED)
            refused = [token for token in self._tokens if token.header == sent]
            self._tokens = [token for token in self._tokens if token.header != sent]
            asked, realm = challenge.parameters, ""
            if challenge.scheme == "bearer":
                plain_http = self._connection.access.plain_http
                realm = oci.check_realm(asked.get("realm", ""), self._subject, plain_http=plain_http)
            self.login.asked = AskedFor(realm, asked.get("service", ""))
            return oci.actions_of(asked.get("scope", "")).union(*(token.scopes for token in refused))

    @contextmanager
    def sending(self, header: str) -> Iterator[Callable[[requests.Response], None]]:
        """Let a request with `header` be sent; give the function that its answer is handed to.

        A password that is not known to be right waits for its turn, and is not sent once it was refused.
        """
        if not _is_password(header):
            yield lambda _: None
            return
        with self.login.turn():
            self._raise_refusal()
            yield self._judge

    def refused_twice(self) -> AuthenticationError:
        """Return the error for a good password or fresh token that does not do: the rights are missing."""
        return self._refused("the registry does not allow this (401)")

    def _judge(self, response: requests.Response) -> None:
        challenge = oci.choose_challenge(response.headers.get("WWW-Authenticate", ""))
        if response.status_code == 401 and challenge and challenge.scheme == "basic":
            self.login.refuse(_PASSWORD_REFUSED)
        elif response.status_code < 400 or response.status_code == 404:
            self.login.accept()

    def _raise_refusal(self) -> None:
        if said := self._refusal or self.login.refused:
            raise self._refused(said)

    def _basic(self) -> str:
        if not hasattr(self, "_basic_auth"):
            raise self._refused("the registry wants a user name and a password")
        return f"Basic {self._basic_auth}"

    def _token(self, service: AskedFor, scopes: frozenset[str]) -> str:
        now = time.monotonic()
        self._tokens = [token for token in self._tokens if token.expires > now]
        known = next((token.header for token in self._tokens if token.scopes >= scopes), None)
        if known:
            return known
        with self.login.turn():
            self._raise_refusal()
            text, seconds = self._read_token(self._ask(service, scopes))
            self.login.accept()
        token = _Token(scopes, f"Bearer {text}", now + seconds - min(_MARGIN_SECONDS, seconds / 2))
        self._tokens.append(token)
        return token.header

    def _ask(self, service: AskedFor, scopes: frozenset[str]) -> requests.Response:
        """Ask the token service: not the registry, so nothing but what is given here is sent there."""
        fields = {"scope": oci.scope_text(scopes)} | ({"service": service.service} if service.service else {})
        call, authorization = Call("GET", oci.add_query(service.realm, fields)), ""
        if self._credentials and self._credentials.is_identity_token:
            grant = {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": self._credentials.password}
            call = Call("POST", service.realm, _FORM, urlencode(fields | grant).encode())
        elif self._credentials:
            authorization = self._basic()
        return self._connection.exchange(call, self._subject, authorization)

    def _read_token(self, response: requests.Response) -> tuple[str, float]:
        status = response.status_code
        said, later = f"the registry's token service answers {status}", response.headers.get("Retry-After", "")
        if oci.is_transient_status(status):
            raise oci.RegistryBusyError(said, subject=self._subject, remedy="try again later", retry_after=later)
        if status == 401:
            raise self._refuse("the registry's token service refuses the credentials (401)")
        if status in {400, 403}:
            raise self._refused(f"the registry's token service refuses ({status})")
        found = oci.parse_token(response.content) if status == 200 else None
        if found is None:
            raise RegistryError(f"{said} without a token", subject=self._subject, remedy="check the registry's realm")
        return found

    def _refuse(self, said: str) -> AuthenticationError:
        self._refusal = said
        self.login.refuse(said)
        return self._refused(said)

    def _refused(self, said: str) -> AuthenticationError:
        return oci.denied(said, self._subject, self.who)


def _is_password(header: str) -> bool:
    return header.startswith("Basic ")
