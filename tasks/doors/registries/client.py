"""What a request to one repository of one registry needs: addresses, scopes, the transport.

oras-py writes the addresses of the API. Its own requests are not used: they have no time limits, retry for 131 s,
send the Authorization to any host, take a pull token to push with, and verify nothing.
"""

from __future__ import annotations

import oras.container

from pluginyard.oci import find_quirks, scopes_of
from tasks.doors.registries.access import Access, Credentials
from tasks.doors.registries.connection import Connection
from tasks.doors.registries.transport import Transport


class RegistryClient:
    """Speak to one repository of one registry."""

    def __init__(
        self, host: str, repository: str, access: Access, credentials: Credentials | None, connection: Connection
    ):
        self._scheme = "http" if access.plain_http else "https"
        self._container = _container(find_quirks(host).api_host or host, repository)
        base_url = f"{self._scheme}://{self._container.registry}"
        self.transport = Transport(connection, base_url, f"{host}/{repository}", access, credentials)
        self.opened: list[tuple[float, str]] = []
        """Uploads that were opened to prove the right to, for the first blobs that need one; since when, and where."""
        self.pull = scopes_of(repository, "pull")
        self.push = scopes_of(repository, "pull,push")

    def manifest_url(self, tag_or_digest: str) -> str:
        """Return the address of a manifest."""
        return f"{self._scheme}://{self._container.manifest_url(tag_or_digest)}"

    def blob_url(self, digest: str) -> str:
        """Return the address of a blob."""
        return f"{self._scheme}://{self._container.get_blob_url(digest)}"

    def uploads_url(self) -> str:
        """Return the address that opens an upload."""
        return f"{self._scheme}://{self._container.upload_blob_url()}"

    def tags_url(self) -> str:
        """Return the address of the list of tags."""
        return f"{self._scheme}://{self._container.tags_url()}"


def _container(host: str, repository: str) -> oras.container.Container:
    """Return oras-py's reference; host and path are set apart, since it takes `a.b/c` for a host."""
    namespace, _, name = repository.rpartition("/")
    container = oras.container.Container(name, registry=host)
    container.namespace, container.repository = namespace or None, name
    return container
