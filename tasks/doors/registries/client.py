"""oras-py's registry client over our transport.

What it does well is used: references and the addresses of the API, a session without cookies, the pages of
a tag list. Its own requests are replaced: they have no time limits, retry for 131 s, send the Authorization
to any host, take a pull token to push with, and verify nothing.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import oras.container
import oras.provider
import requests

from pluginyard.errors import RegistryError
from pluginyard.registry_quirks import find_quirks
from tasks.doors.registries.access import Access, Credentials
from tasks.doors.registries.authentication import scopes_of
from tasks.doors.registries.origins import origin_of
from tasks.doors.registries.transport import Call, Transport


def new_session() -> requests.Session:
    """Return a session that takes no cookies: a registry that sets one takes us for a browser later."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


class RegistryClient(oras.provider.Registry):  # type: ignore[misc]  # oras ships no types
    """Speak to one repository of one registry."""

    def __init__(
        self, host: str, repository: str, access: Access, credentials: Credentials | None, session: requests.Session
    ):
        super().__init__(hostname=host, insecure=access.plain_http)
        self.session = session
        self.container = _container(find_quirks(host).api_host or host, repository)
        base_url = f"{self.prefix}://{self.container.registry}"
        self.transport = Transport(self.session, base_url, f"{host}/{repository}", access, credentials)
        self.opened: list[tuple[float, str]] = []
        """Uploads that were opened to prove the right to, for the first blobs that need one; since when, and where."""
        self.pull = scopes_of(repository, "pull")
        self.push = scopes_of(repository, "pull,push")

    def manifest_url(self, tag_or_digest: str) -> str:
        """Return the address of a manifest."""
        return f"{self.prefix}://{self.container.manifest_url(tag_or_digest)}"

    def blob_url(self, digest: str) -> str:
        """Return the address of a blob."""
        return f"{self.prefix}://{self.container.get_blob_url(digest)}"

    def uploads_url(self) -> str:
        """Return the address that opens an upload."""
        return f"{self.prefix}://{self.container.upload_blob_url()}"

    def do_request(  # the signature is oras-py's, which calls this for each page of the tags
        self,
        url: str,
        method: str = "GET",
        data: Any = None,
        headers: dict[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send a request for oras-py."""
        if method != "GET" or data is not None or json is not None or stream:
            raise NotImplementedError("oras-py only reads lists of tags here")
        if origin_of(url) != origin_of(self.blob_url("")):
            raise RegistryError(
                "the list of tags goes on at another host", subject=self.transport.subject, remedy="check its proxy"
            )
        return self.transport.send(Call("GET", url, self.pull, headers or {}), 200)


def _container(host: str, repository: str) -> oras.container.Container:
    """Return oras-py's reference; host and path are set apart, since it takes `a.b/c` for a host."""
    namespace, _, name = repository.rpartition("/")
    container = oras.container.Container(name, registry=host)
    container.namespace, container.repository = namespace or None, name
    return container
