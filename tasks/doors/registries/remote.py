"""One artifact repository in a registry."""

from __future__ import annotations

from typing import BinaryIO

from pluginyard.oci import MANIFEST_TYPES, Descriptor, StoredManifest, read_manifest, wrong_manifest
from tasks.doors.registries import downloads, tag_lists, uploads
from tasks.doors.registries.access import Access, Credentials
from tasks.doors.registries.answers import AbsentError, TagMovedError, version_taken
from tasks.doors.registries.client import RegistryClient
from tasks.doors.registries.connection import Connection
from tasks.doors.registries.repository import OpenContent, PushedBlob
from tasks.doors.registries.transport import Call


class RemoteRepository:
    """One repository of one registry; see `Repository` for what the methods promise."""

    def __init__(self, host: str, name: str, access: Access, credentials: Credentials | None, connection: Connection):
        self.host = host
        self.name = name
        self._client = RegistryClient(host, name, access, credentials, connection)
        self._transport = self._client.transport

    def __str__(self) -> str:
        return self._transport.subject

    def log_in(self) -> str:
        """Prove that pull and push are allowed; return where the credentials came from, or `anonymous`."""
        uploads.prove_push(self._client)
        return self._transport.authentication.used

    def find_manifest(self, tag_or_digest: str) -> StoredManifest | None:
        """Return the manifest, digest verified; None only where the registry says that there is none."""
        call = Call(
            "GET",
            self._client.manifest_url(tag_or_digest),
            self._client.pull,
            {"Accept": ", ".join(MANIFEST_TYPES)},
        )
        subject = self._subject(tag_or_digest)
        try:
            response = self._transport.send(call, 200)
        except AbsentError:
            return None
        manifest = read_manifest(response.content, response.headers.get("Content-Type", ""), subject)
        said = tag_or_digest if ":" in tag_or_digest else response.headers.get("Docker-Content-Digest", "")
        if said.startswith("sha256:") and said != manifest.digest:
            raise wrong_manifest(said, subject, downloads.CORRUPTED)
        return manifest

    def list_tags(self) -> tuple[str, ...]:
        """Return the tags in the registry's order; empty where the repository does not exist yet."""
        try:
            return tag_lists.list_tags(self._client)
        except AbsentError:
            return ()

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether the blob is there."""
        return uploads.has_blob(self._client, descriptor, self._client.pull)

    def is_intact(self, manifest: StoredManifest) -> bool:
        """Return True: only reading all of it would tell."""
        return True

    def push_blob(self, descriptor: Descriptor, open_content: OpenContent, *, mount_from: str = "") -> PushedBlob:
        """Bring the blob there as a stream; `mount_from` names a repository of this host that has it."""
        return uploads.push_blob(self._client, descriptor, open_content, mount_from)

    def push_manifest(self, manifest: StoredManifest, tag: str | None, *, replace: bool = True) -> str:
        """Store the manifest by `tag`, or by digest; return the digest that stands there now.

        A registry has no compare-and-swap: without `replace` the tag is looked at right before and right
        after, which leaves a race of different contents a window of milliseconds, and tells of it. With it,
        and by digest, the registry's own word on what it stored is enough: others may replace it as well.
        """
        uploads.end_proof(self._client)
        may_replace = replace or not tag
        if tag and not may_replace:
            self._check_free(tag, manifest)
        url = self._client.manifest_url(tag or manifest.digest)
        headers = {"Content-Type": manifest.media_type}
        response = self._transport.send(Call("PUT", url, self._client.push, headers, manifest.content), 200, 201, 202)
        if may_replace and response.headers.get("Docker-Content-Digest") == manifest.digest:
            return manifest.digest
        stored = self.find_manifest(tag or manifest.digest)
        if stored and tag and not may_replace and stored.digest != manifest.digest:
            raise version_taken(self._subject(tag), stored.digest)
        if stored is None or stored.digest != manifest.digest:
            raise TagMovedError(
                f"the registry took {manifest.digest} and returns {stored.digest if stored else 'nothing'}",
                subject=self._subject(tag or manifest.digest),
                remedy="another client moved the tag, or the registry rewrites manifests",
            )
        return stored.digest

    def pull_blob(self, descriptor: Descriptor, target: BinaryIO) -> None:
        """Write the verified blob to `target`; on failure nothing of it is left in a seekable one."""
        downloads.pull_blob(self._client, descriptor, target)

    def _check_free(self, tag: str, manifest: StoredManifest) -> None:
        stored = self.find_manifest(tag)
        if stored is not None and stored.digest != manifest.digest:
            raise version_taken(self._subject(tag), stored.digest)

    def _subject(self, tag_or_digest: str) -> str:
        return f"{self}{'@' if ':' in tag_or_digest else ':'}{tag_or_digest}"
