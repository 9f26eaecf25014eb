"""One session to one registry: time limits, tries by class of failure, no credentials to anyone else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from pluginyard.errors import PluginyardError, RegistryError
from pluginyard.oci import MANIFEST_LIMIT, add_query, is_transient_status, origin_of, resolve_location
from tasks.doors.registries.access import Access, Credentials
from tasks.doors.registries.answers import error_of, failure_of, root_of
from tasks.doors.registries.arriving import arriving
from tasks.doors.registries.attempts import Attempts
from tasks.doors.registries.authentication import Authentication
from tasks.doors.registries.connection import Connection, system_authorities
from tasks.doors.registries.streams import OutgoingBlob

_REDIRECTS = 5
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Call:
    """Describe one request; a token must allow `scopes`; a streamed body is opened anew for each try."""

    method: str
    url: str
    scopes: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    open_body: Callable[[], OutgoingBlob] | None = None
    stream: bool = False
    """Leave the answer's content to the caller, who reads it as a stream."""


class Transport:
    """Send calls to one registry on behalf of one repository (`subject`, for messages)."""

    def __init__(
        self,
        connection: Connection,
        base_url: str,
        subject: str,
        access: Access,
        credentials: Credentials | None,
    ):
        self.subject = subject
        self.attempts = Attempts(access.attempts, subject)
        self.authentication = Authentication(
            subject, credentials, plain_http=access.plain_http, fetch=self._fetch_token, trial=connection.trial
        )
        self._session = connection.session
        self._base_url = base_url
        self._origin = origin_of(base_url)
        self._access = access
        self.read_seconds = access.read_seconds
        self._authorities = system_authorities()
        self._greeted = credentials is None

    def send(self, call: Call, *expected: int) -> requests.Response:
        """Return the answer if its status is expected; transient failures are tried again.

        Raises AuthenticationError, RegistryError (AbsentError where the registry says that nothing is there),
        and RegistryUnavailableError after the last attempt.
        """
        return self.attempts.run(lambda: self.send_once(call, *expected))

    def send_once(self, call: Call, *expected: int) -> requests.Response:
        """Return the answer like `send`, but with one attempt: for what is begun anew as a whole."""
        self._greet()
        response = self._send_authorized(call)
        if response.status_code in expected:
            return response
        if call.stream:
            self._read_bounded(response)
        raise self._error_of(response)

    def _error_of(self, response: requests.Response) -> PluginyardError:
        known = self.authentication
        return error_of(response, self.subject, who=known.who, secrets=known.secrets)

    def _greet(self) -> None:
        """Learn the challenge before the first request: some registries call private content absent."""
        if self._greeted:
            return
        response = self._request(Call("GET", f"{self._base_url}/v2/"), None)
        if is_transient_status(response.status_code):
            raise self._error_of(response)
        if response.status_code == 401:
            self.authentication.learn(response, None)
        self._greeted = True

    def _send_authorized(self, call: Call) -> requests.Response:
        sent = self.authentication.header_for(call.scopes)
        response = self._try(call, sent)
        if not self._is_challenge(response):
            return response
        response.close()
        asked = self.authentication.learn(response, sent)
        fresh = self.authentication.header_for(call.scopes | asked)
        response = self._try(call, fresh)
        if self._is_challenge(response):
            self.authentication.learn(response, fresh)
            raise self.authentication.refused_twice()
        return response

    def _try(self, call: Call, authorization: str | None) -> requests.Response:
        with self.authentication.sending(authorization) as judge:
            response = self._follow(call, authorization)
            if origin_of(response.url) == self._origin:
                judge(response)
        return response

    def _is_challenge(self, response: requests.Response) -> bool:
        return response.status_code == 401 and origin_of(response.url) == self._origin

    def _follow(self, call: Call, authorization: str | None) -> requests.Response:
        """Send the call and follow redirects; the Authorization goes to the registry's own origin only."""
        for _ in range(_REDIRECTS):
            own = authorization if origin_of(call.url) == self._origin else None
            response = self._request(call, own)
            if not _is_redirect(response, call.method):
                return response
            response.close()
            location = resolve_location(call.url, response.headers.get("Location", ""))
            call = replace(call, url=location)
        raise RegistryError("too many redirects", subject=self.subject, remedy="check the registry's proxy")

    def _fetch_token(
        self, method: str, url: str, fields: dict[str, str], authorization: str | None
    ) -> requests.Response:
        """Ask a token service: not the registry, so nothing but what is given here is sent there."""
        if method == "GET":
            return self._request(Call("GET", add_query(url, fields)), authorization)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._request(Call(method, url, frozenset(), headers, urlencode(fields).encode()), authorization)

    def _request(self, call: Call, authorization: str | None) -> requests.Response:
        body = call.open_body() if call.open_body else None
        try:
            response = self._session.request(
                call.method,
                call.url,
                data=body if body is not None else call.body,
                headers={"Accept-Encoding": "identity", "User-Agent": "pluginyard", **call.headers},
                auth=_Authorization(authorization),
                stream=True,
                timeout=(self._access.connect_seconds, self.read_seconds),
                verify=self._authorities,
                allow_redirects=False,
            )
            if not call.stream:
                self._read_bounded(response)
            return response
        # urllib3's own: a host that no name server can be asked for (`a..b`), also in a Location, reaches us bare.
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise failure_of(error, self.subject) from root_of(error)
        finally:
            if body is not None:
                body.close()

    def _read_bounded(self, response: requests.Response) -> None:
        """Read an answer that must be small, within the time limit even if it comes byte by byte."""
        content = bytearray()
        for piece in arriving(response, _PIECE, self.subject, grace_seconds=self.read_seconds):
            content += piece
            if len(content) > MANIFEST_LIMIT:
                response.close()
                raise RegistryError(
                    f"the answer is longer than {MANIFEST_LIMIT} bytes",
                    subject=self.subject,
                    remedy="check that this is a registry",
                )
        response._content = bytes(content)  # requests reads a body whole or not at all: no bound of its own
        response._content_consumed = True  # type: ignore[attr-defined]  # or closing it would cut the connection


class _Authorization(AuthBase):
    """Set the header ourselves: without an auth object requests would put in what it finds in ~/.netrc."""

    def __init__(self, header: str | None):
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request


def _is_redirect(response: requests.Response, method: str) -> bool:
    status = response.status_code
    return status in {307, 308} or (status in {301, 302, 303} and method in {"GET", "HEAD"})
