"""The registry client: oras-py's, with what fails in it replaced.

Its own serve for references and addresses, for lists of tags, and for whether a blob is there. Ours are:

- `do_request`, the auth backend, paging and locations, its seams: each says why;
- manifests, whose bytes it does not keep: no digest can be checked of what `get_manifest` returns, and
  `upload_manifest` writes another JSON than the one that was hashed;
- transfers: `put_upload` holds a blob in memory, `download_blob` checks no digest, resumes nothing, and leaves a part;
- mounting a blob that another repository has, which it cannot;
- whole artifacts: its `push` moves any tag and names layers by their last part, its `pull` unpacks archives over links.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import oras.container
import oras.provider
import requests

from pluginyard import oci
from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError
from tasks.doors.registries.client.attempts import Attempts
from tasks.doors.registries.client.authentication import ScopedAuthentication
from tasks.doors.registries.client.connection import Call, Connection
from tasks.doors.registries.streams import OutgoingBlob

MOST_PAGES = 1000  # registries put 50 to 1000 tags on one
MOST_BYTES = 32 << 20
MOST_SECONDS = 300.0
_REDIRECTS = 5
_PULLS = frozenset({"GET", "HEAD"})


class RegistryClient(oras.provider.Registry):  # type: ignore[misc]  # oras-py has no types
    """Speak to one repository of one registry. Every method raises PluginyardErrors only."""

    def __init__(self, connection: Connection, repository: str):
        host = connection.host
        super().__init__(oci.find_quirks(host).api_host or host, insecure=connection.access.plain_http)
        self.subject = f"{host}/{repository}"
        self.connection = connection
        self.session = connection.session
        self.auth = ScopedAuthentication(connection, self.subject)
        self.attempts = Attempts(connection.access.attempts, self.subject)
        self.container = _container(self.hostname, repository)
        self.pull_scopes, self.push_scopes = (oci.scopes_of(repository, actions) for actions in ("pull", "pull,push"))
        self._base_url = f"{self.prefix}://{self.hostname}"
        self.is_let_in = False
        """Whether a request was answered that had to be authorized, if any has to be."""
        self._wider = self.push_scopes if connection.pushes and connection.credentials else frozenset[str]()

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: bytes | Callable[[], OutgoingBlob] | None = None,
        headers: Mapping[str, str] | None = None,
        json: None = None,
        stream: bool = False,
        scopes: frozenset[str] = frozenset(),
    ) -> requests.Response:
        """Return the answer to one request that is done, or the 404 of a HEAD; raise what any other stands for.

        One try: oras-py's own goes on for 131 s whatever the error is, and takes 429 and 503 for an answer; it has no
        time limits, sends the Authorization to any host, reads answers of any length, and raises errors that quote
        addresses and passwords. `scopes` are those that a token must allow beside what the method needs.
        """
        self._greet()
        needed = scopes or (self.pull_scopes if method in _PULLS else self.push_scopes)
        response = self._send_authorized(Call(method, url, headers or {}, data, stream), needed)
        self.is_let_in = self.is_let_in or response.status_code not in {401, 403}
        is_absent_blob = method == "HEAD" and response.status_code == 404 and self._is_own(response.url)
        if oci.is_done(method, response.status_code) or is_absent_blob:
            return response
        if stream:
            self.connection.read_small(response, self.subject)
        raise self._error_of(response, method)

    def url_of(self, path: str) -> str:
        """Return the address that one of the container's paths has."""
        return f"{self.prefix}://{path}"

    def _do_paginated_request(self, url: str, callable: Callable[[requests.Response], bool]) -> None:
        """Hand on each page of a list, each tried by itself.

        oras-py's own follows a link to another host, or back to itself, for ever, and stops at an empty page.
        """
        seen, received, began = set[str](), 0, time.monotonic()
        while url:
            is_long = len(seen) == MOST_PAGES or received > MOST_BYTES or time.monotonic() - began > MOST_SECONDS
            if url in seen or is_long:
                raise self._wrong("the list of tags does not end", "check the registry, or its proxy")
            seen.add(url)
            response = self.attempts.run(lambda url=url: self.do_request(url))  # type: ignore[misc]
            received += len(response.content)
            oci.parse_tags(response.content, self.subject)
            callable(response)
            url = self._next_page(response)

    def _get_location(self, r: requests.Response, container: oras.container.Container) -> str:
        """Return where an answer leads; oras-py's own goes from https to http, and joins `x/y` to the host's name."""
        return oci.resolve_location(r.url, r.headers.get("Location", ""))

    def _next_page(self, response: requests.Response) -> str:
        """Return the address of the next page, empty at the end; it must be the registry's own."""
        following = response.links.get("next", {}).get("url", "")
        if not following:
            return ""
        url = oci.resolve_location(response.url, following)
        if not self._is_own(url):
            raise self._wrong("the list of tags goes on at another host", "check its proxy")
        return url

    def _greet(self) -> None:
        """Learn the challenge before the first request: some registries call private content absent.

        To push, a password is shown to be right where every registry answers: some refuse (401) what is not there.
        """
        if self.connection.credentials is None or self.auth.login.greeted:
            return
        response = self.connection.exchange(Call("GET", f"{self._base_url}/v2/"), self.subject)
        if oci.is_transient_status(response.status_code):
            raise self._error_of(response)
        if response.status_code == 401:
            self.auth.authenticate_request(response, "")
        if self._wider and self.auth.is_basic and not self.auth.login.accepted:
            self._send_authorized(Call("GET", f"{self._base_url}/v2/"), frozenset())
        self.auth.login.greeted = True

    def _send_authorized(self, call: Call, scopes: frozenset[str]) -> requests.Response:
        sent = self._header(scopes)
        response = self._send(call, sent)
        if not self._is_challenge(response):
            return response
        response.close()
        asked = self.auth.authenticate_request(response, sent)
        fresh = self._header(scopes | asked)
        response = self._send(call, fresh)
        if self._is_challenge(response):
            self.auth.authenticate_request(response, fresh)
            raise self.auth.refused_twice()
        return response

    def _header(self, scopes: frozenset[str]) -> str:
        """Return the Authorization for `scopes`, and for what the run will need: so no token is asked for twice.

        A token service may grant nothing on a repository that is not there yet, unless it is asked for a push.
        """
        try:
            return str(self.auth.get_auth_header(scopes | self._wider))
        except AuthenticationError:
            if self._wider <= scopes:
                raise
            self._wider = frozenset()  # who may read only still finds what is published
            return str(self.auth.get_auth_header(scopes))

    def _send(self, call: Call, authorization: str) -> requests.Response:
        with self.auth.sending(authorization) as judge:
            response = self._follow(call, authorization)
            if self._is_own(response.url):
                judge(response)
        return response

    def _follow(self, call: Call, authorization: str) -> requests.Response:
        """Send the call and follow redirects; the Authorization goes to the registry's own origin only."""
        for _ in range(_REDIRECTS):
            own = authorization if self._is_own(call.url) else ""
            response = self.connection.exchange(call, self.subject, own)
            if not _is_redirect(response, call.method):
                return response
            response.close()
            call = replace(call, url=self._get_location(response, self.container))
        raise self._wrong("too many redirects", "check the registry's proxy")

    def _is_own(self, url: str) -> bool:
        return oci.origin_of(url) == oci.origin_of(self._base_url)

    def _is_challenge(self, response: requests.Response) -> bool:
        return response.status_code == 401 and self._is_own(response.url)

    def _error_of(self, response: requests.Response, method: str = "GET") -> PluginyardError:
        said = response.headers
        answer = oci.ErrorAnswer(
            response.status_code, response.content, said.get("Content-Type", ""), said.get("Retry-After", "")
        )
        if not self._is_own(response.url):
            return oci.error_of_other(answer, self.subject, oci.origin_of(response.url)[1])
        return oci.error_of(answer, self.subject, method, who=self.auth.who, secrets=self.auth.secrets)

    def _wrong(self, message: str, remedy: str) -> RegistryError:
        return RegistryError(message, subject=self.subject, remedy=remedy)


def _container(host: str, repository: str) -> oras.container.Container:
    """Return oras-py's reference; host and path are set apart, since it takes `a.b/c` for a host."""
    namespace, _, name = repository.rpartition("/")
    container = oras.container.Container(name, registry=host)
    container.namespace, container.repository = namespace or None, name
    return container


def _is_redirect(response: requests.Response, method: str) -> bool:
    status = response.status_code
    return status in {307, 308} or (status in {301, 302, 303} and method in _PULLS)
