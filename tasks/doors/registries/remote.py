"""One artifact repository in a registry."""

from __future__ import annotations

from typing import BinaryIO

import requests

from pluginyard import oci
from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError
from tasks.doors.registries import downloads
from tasks.doors.registries.client import Connection, RegistryClient
from tasks.doors.registries.repository import OpenContent, PushedBlob, find_ours
from tasks.doors.registries.streams import OutgoingBlob

_EMPTY = {"Content-Length": "0"}
_BINARY = {"Content-Type": "application/octet-stream"}
_ACCEPTED = {"Accept": ", ".join(oci.MANIFEST_TYPES)}


class TagMovedError(RegistryError):
    """The tag holds another digest than the one that was just stored under it."""


class RemoteRepository(RegistryClient):
    """One repository of one registry; see `ArtifactRepository` for what the methods promise."""

    def __init__(self, connection: Connection, name: str):
        super().__init__(connection, name)
        self.host, self.name = connection.host, name

    def __str__(self) -> str:
        return self.subject

    def reference_to(self, tag_or_digest: str) -> str:
        """Return the reference of an artifact that is here, or may be."""
        return f"{self}{'@' if ':' in tag_or_digest else ':'}{tag_or_digest}"

    def log_in(self) -> str:
        """Have the registry accept the credentials as `docker login` does, unless it has; return where they came from.

        `anonymous` where there are none, or none were asked for. Where some were, and there are none, an upload is
        opened that the registry clears away: nothing else shows that an anonymous push is allowed.
        """
        if not self.is_let_in:
            self.attempts.run(self._ping)
        if self.auth.is_asked and not self.auth.who:
            self.attempts.run(self._start_upload)
        return self.auth.used

    def find_manifest(self, tag_or_digest: str) -> oci.StoredManifest | None:
        """Return the manifest, digest verified; None only where the registry says that there is none."""
        return self._find(tag_or_digest)[0]

    def list_tags(self) -> tuple[str, ...]:
        """Return the tags in the registry's order; empty where the repository does not exist yet."""
        try:
            return tuple(tag for tag in self.get_tags(self.container) if isinstance(tag, str))
        except oci.AbsentError:
            return ()

    def has_blob(self, descriptor: oci.Descriptor) -> bool:
        """Return whether the blob is there."""
        return self.attempts.run(lambda: bool(self.blob_exists(descriptor.to_json(), self.container)))

    def is_intact(self, manifest: oci.StoredManifest) -> bool:
        """Return True: only reading all of it would show."""
        return True

    def push_blob(self, descriptor: oci.Descriptor, open_content: OpenContent, *, mount_from: str = "") -> PushedBlob:
        """Bring the blob there as a stream; `mount_from` names a repository of this host that has it.

        A try that fails is begun anew as a whole: an upload is not continued.
        """
        return self.attempts.run(lambda: self._push_once(descriptor, open_content, mount_from))

    def push_manifest(self, manifest: oci.StoredManifest, tag: str | None, *, replace: bool = True) -> str:
        """Store the manifest by `tag`, or by digest; return the digest that stands there now.

        A registry has no compare-and-swap: without `replace` the tag is looked at right before and right
        after, which leaves a race of different contents a window of milliseconds, and reports it. With it,
        and by digest, the registry's own word on what it stored is enough: others may replace it as well.
        """
        guarded = "" if replace or not tag else tag
        if guarded:
            self._guard(guarded, manifest)
        response = self._put(manifest, tag or manifest.digest)
        if not guarded and response.headers.get("Docker-Content-Digest") == manifest.digest:
            return manifest.digest
        if guarded:
            stored = find_ours(self, guarded, digest=manifest.digest)
        else:
            stored = self.find_manifest(tag or manifest.digest)
        if stored is None or stored.digest != manifest.digest:
            raise TagMovedError(
                f"the registry took {manifest.digest} and returns {stored.digest if stored else 'nothing'}",
                subject=self.reference_to(tag or manifest.digest),
                remedy="another client moved the tag, or the registry rewrites manifests",
            )
        return stored.digest

    def pull_blob(self, descriptor: oci.Descriptor, target: BinaryIO) -> None:
        """Write the verified blob to `target`; on failure nothing of it is left in a seekable one."""
        downloads.pull_blob(self, descriptor, target)

    def _ping(self) -> None:
        try:
            self.do_request(self.url_of(f"{self.hostname}/v2/"), scopes=self.push_scopes)
        except oci.AbsentError:
            return

    def _find(self, tag_or_digest: str) -> tuple[oci.StoredManifest | None, bool]:
        """Return the manifest, and whether it is certain where there is none."""
        url = self.url_of(self.container.manifest_url(tag_or_digest))
        try:
            response = self.attempts.run(lambda: self.do_request(url, headers=_ACCEPTED))
        except oci.AbsentError:
            return None, True
        except AuthenticationError:
            if not self.connection.pushes or ":" in tag_or_digest:
                raise
            if (listed := self._is_unlisted(tag_or_digest)) is False:
                raise
            return None, listed is True
        subject = self.reference_to(tag_or_digest)
        manifest = oci.read_manifest(response.content, response.headers.get("Content-Type", ""), subject)
        said = tag_or_digest if ":" in tag_or_digest else response.headers.get("Docker-Content-Digest", "")
        if said.startswith("sha256:") and said != manifest.digest:
            raise oci.wrong_manifest(said, subject, downloads.CORRUPTED)
        return manifest, True

    def _is_unlisted(self, tag: str) -> bool | None:
        """Return whether a tag that we are refused is one that is not there; None where only a push can show it.

        Some registries answer 401 or 403 for it. The list of tags says so; where that is refused too, the repository
        may be new, if we are allowed to push to it.
        """
        try:
            return tag not in self.list_tags()
        except AuthenticationError:
            pass
        try:
            self.attempts.run(self._start_upload)
        except AuthenticationError:
            return False
        return None

    def _guard(self, tag: str, manifest: oci.StoredManifest) -> None:
        """Raise VersionTakenError where `tag` holds another digest, AuthenticationError where that cannot be known."""
        stored, is_certain = self._find(tag)
        oci.is_published(stored, self.reference_to(tag), digest=manifest.digest)
        if not is_certain:  # the digest can be read: a tag that still cannot is not there
            self._put(manifest, manifest.digest)
            self.find_manifest(manifest.digest)
            find_ours(self, tag, digest=manifest.digest)

    def _put(self, manifest: oci.StoredManifest, tag_or_digest: str) -> requests.Response:
        url, headers = self.url_of(self.container.manifest_url(tag_or_digest)), {"Content-Type": manifest.media_type}
        return self.attempts.run(lambda: self.do_request(url, "PUT", manifest.content, headers))

    def _has_for_sure(self, descriptor: oci.Descriptor) -> bool:
        """Return whether the blob is known to be there; a check that fails, there or in its storage, says nothing."""
        try:
            return bool(self.blob_exists(descriptor.to_json(), self.container))
        except PluginyardError as error:
            if error.transient:
                raise
            return False

    def _push_once(self, descriptor: oci.Descriptor, open_content: OpenContent, mount_from: str) -> PushedBlob:
        if self._has_for_sure(descriptor):
            return "present"
        location = self._mount(descriptor, mount_from) if mount_from else ""
        if location is None:
            return "mounted"
        url = oci.add_query(location or self._start_upload(), {"digest": descriptor.digest})
        self.do_request(url, "PUT", lambda: OutgoingBlob(open_content(), descriptor, self.subject), _BINARY)
        return "uploaded"

    def _start_upload(self) -> str:
        response = self.do_request(self.url_of(self.container.upload_blob_url()), "POST", headers=_EMPTY)
        return self._get_location(response, self.container)

    def _mount(self, descriptor: oci.Descriptor, source: str) -> str | None:
        """Return None once mounted, the address of an upload where the registry opens one, else nothing.

        Without the right to read the source nothing is lost: the blob is uploaded.
        """
        query = {"mount": descriptor.digest, "from": source}
        url = oci.add_query(self.url_of(self.container.upload_blob_url()), query)
        scopes = self.push_scopes | oci.scopes_of(source, "pull")
        try:
            response = self.do_request(url, "POST", headers=_EMPTY, scopes=scopes)
        except PluginyardError as error:
            if error.transient:
                raise
            return ""
        return None if response.status_code == 201 else self._get_location(response, self.container)
