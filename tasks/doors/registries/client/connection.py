"""What all repositories of one registry share: its connections, whom they trust, and whether the password is right."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import requests
import urllib3.exceptions

from pluginyard.errors import RegistryError
from pluginyard.oci import MANIFEST_LIMIT
from tasks.doors.registries.access import Access, Credentials
from tasks.doors.registries.client.bounds import TooLongError, TooSlowError, bounds_of
from tasks.doors.registries.client.sessions import ExactAuthorization, new_session, system_authorities
from tasks.doors.registries.failures import SilentError, failure_of, root_of
from tasks.doors.registries.streams import PIECE, OutgoingBlob

SLOWEST = 4096.0
"""Bytes per second below which a transfer is given up, once it has had its first moments."""


@dataclass(frozen=True)
class Call:
    """Describe one request; a streamed body is opened anew each time that it is sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], OutgoingBlob] | None = None
    stream: bool = False
    """Leave the answer's content to the caller, who reads it as a stream."""


@dataclass(frozen=True)
class AskedFor:
    """Say what a registry asks for."""

    realm: str
    """Address of the token service; empty where Basic is wanted, whose realm is a text and no address."""
    service: str


class LoginState:
    """Remember what a registry asks for, and whether the credentials were accepted; threads and repositories share it.

    Until they were, one request at a time tries them, so that wrong ones are sent once. Once a plugin would do harm:
    registries, and directories behind them, lock an account after a few wrong passwords.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.greeted = False
        """Whether the registry was asked what it asks for."""
        self.asked: AskedFor | None = None
        self.accepted = False
        self.refused = ""
        """What the registry said when it refused them, before it had ever accepted them."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other request tries the password; at once where it is known to be right."""
        if self.accepted:
            yield
            return
        with self._turn:
            yield

    def accept(self) -> None:
        """Note that the registry knows the password: a later refusal is about rights, of one repository."""
        self.accepted = True

    def refuse(self, said: str) -> None:
        """Note that the registry refuses the password."""
        if not self.accepted:
            self.refused = said


@dataclass(frozen=True, eq=False)
class Connection:
    """Hold what is open at one registry, and how it is reached; threads may share it."""

    host: str
    access: Access
    credentials: Credentials | None = None
    pushes: bool = False
    """Whether what is opened is pushed to: then the rights to push are asked for from the start."""
    login: LoginState = field(default_factory=LoginState)
    session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "session", new_session(self.access.ca_bundle))

    def anew(self) -> Connection:
        """Return new connections to the same registry, which refused or accepted the same password."""
        return replace(self)

    def exchange(self, call: Call, subject: str, authorization: str = "") -> requests.Response:
        """Send one request, once and without following redirects; return the answer, whatever it is.

        Unless it is a stream its content is read, which must be small and soon there. Raises RegistryError, or
        RegistryUnavailableError where there is no answer.
        """
        body = call.body() if callable(call.body) else call.body
        try:
            response = self.session.request(
                call.method,
                call.url,
                data=body,
                headers={"Accept-Encoding": "identity", "User-Agent": "pluginyard", **call.headers},
                auth=ExactAuthorization(authorization),
                stream=True,
                timeout=(self.access.connect_seconds, self.access.read_seconds),
                verify=system_authorities(),
                allow_redirects=False,
            )
            if not call.stream:
                self.read_small(response, subject)
            return response
        except (TooSlowError, TooLongError) as error:
            raise _out_of_bounds(error, subject) from None
        # urllib3's own: a host that no name server can be asked for (`a..b`), also in a Location, reaches us bare.
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise failure_of(error, subject) from root_of(error)
        finally:
            if isinstance(body, OutgoingBlob):
                body.close()

    def read_small(self, response: requests.Response, subject: str) -> None:
        """Read an answer that must be small, within the time limit even if it comes byte by byte."""
        content = bytearray()
        for piece in self.read(response, MANIFEST_LIMIT, subject):
            content += piece
            if len(content) > MANIFEST_LIMIT:
                response.close()
                raise _out_of_bounds(TooLongError(), subject)
        response._content = bytes(content)  # requests reads a body whole or not at all: no bound of its own
        response._content_consumed = True  # type: ignore[attr-defined]  # or closing it would cut the connection

    def read(
        self, response: requests.Response, content_bytes: int, subject: str, *, slowest: float = math.inf
    ) -> Iterator[bytes]:
        """Yield an answer's content as it comes, none held back until a piece is full.

        Raises RegistryUnavailableError where the whole takes longer than the time limit and its time at `slowest`
        bytes per second, or where the connection breaks off; RegistryError where it is much more than `content_bytes`.
        """
        bounds_of(response).allow(content_bytes, slowest)
        while piece := _next(response, subject):
            yield piece


def _next(response: requests.Response, subject: str) -> bytes:
    try:
        # Not iter_content: it returns only what is full, so that of what breaks off the last piece is lost.
        piece: bytes | None = response.raw.read1(PIECE, decode_content=True)
    except (TooSlowError, TooLongError) as error:
        raise _out_of_bounds(error, subject) from None
    except urllib3.exceptions.HTTPError as error:
        raise failure_of(error, subject) from root_of(error)
    return piece or b""


def _out_of_bounds(error: TooSlowError | TooLongError, subject: str) -> RegistryError:
    if isinstance(error, TooSlowError):
        return SilentError("the answer takes too long", subject=subject, remedy="try again later")
    said = f"the answer is longer than {MANIFEST_LIMIT} bytes, or than the blob that it should be"
    return RegistryError(said, subject=subject, remedy="check that this is a registry")
