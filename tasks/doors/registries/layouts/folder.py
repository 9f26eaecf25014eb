"""One artifact repository in an OCI image layout folder, with the same methods as one in a registry."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from pluginyard import oci
from tasks.doors.registries.access import Access
from tasks.doors.registries.layouts.store import LayoutStore, open_regular
from tasks.doors.registries.repository import OpenContent, PushedBlob, find_ours
from tasks.doors.registries.streams import PIECE, IncomingBlob, OutgoingBlob, local_failure

REPOSITORY = "io.pluginyard.repository"
"""Annotation of an index entry: whose tag it is. `a-b-1` may be tag `b-1` of `a`, or tag `1` of `a-b`."""
_RESTORE = "restore the folder, or publish into a new one"
IndexEntry = dict[str, Any]


class LayoutRepository:
    """One plugin's artifacts in a folder; see `ArtifactRepository` for what the methods promise."""

    def __init__(self, destination: oci.Destination, name: str, access: Access):
        self.host = ""
        self.name = name
        self._destination = destination
        self._store = LayoutStore(Path(destination.namespace), access.read_seconds)

    def __str__(self) -> str:
        return str(self._destination)

    def reference_to(self, tag_or_digest: str) -> str:
        """Return the reference of an artifact that is here, or may be."""
        if ":" in tag_or_digest:
            return f"{self}@{tag_or_digest}"
        return str(self._destination.artifact(self.name, tag_or_digest))

    def log_in(self) -> str:
        """Make the folder a layout that can be written; return `anonymous`."""
        self._store.prepare()
        return "anonymous"

    def find_manifest(self, tag_or_digest: str) -> oci.StoredManifest | None:
        """Return the manifest, digest verified; None where the index has no such tag, the folder no such blob."""
        entry = self._find_entry(tag_or_digest)
        digest = tag_or_digest if ":" in tag_or_digest else str(entry["digest"]) if entry else ""
        if not digest or (entry is None and not os.path.lexists(self._store.blob_path(digest))):
            return None
        subject = self.reference_to(tag_or_digest)
        content = self._store.read_small_blob(digest)
        manifest = oci.read_manifest(content, str(entry.get("mediaType", "")) if entry else "", subject)
        if manifest.digest != digest:
            raise oci.wrong_manifest(digest, subject, _RESTORE)
        return manifest

    def list_tags(self) -> tuple[str, ...]:
        """Return this repository's tags in the order of the index."""
        tags = (self._tag_of(entry) for entry in self._store.read_index()["manifests"])
        return tuple(tag for tag in tags if tag)

    def has_blob(self, descriptor: oci.Descriptor) -> bool:
        """Return whether the blob is there, as long as it should be."""
        try:
            with open_regular(self._store.blob_path(descriptor.digest)) as file:
                return os.fstat(file.fileno()).st_size == descriptor.size
        except OSError:
            return False

    def is_intact(self, manifest: oci.StoredManifest) -> bool:
        """Return whether the blobs of `manifest` are what their digests say."""
        return all(map(self._is_whole, oci.blobs_of(manifest, str(self))))

    def _is_whole(self, descriptor: oci.Descriptor) -> bool:
        if not self.has_blob(descriptor):
            return False
        try:
            with open_regular(self._store.blob_path(descriptor.digest)) as file:
                return oci.digest_of_file(file) == descriptor.digest
        except OSError:
            return False

    def push_blob(self, descriptor: oci.Descriptor, open_content: OpenContent, *, mount_from: str = "") -> PushedBlob:
        """Bring the blob there as a stream, in place of one that is damaged; all share one folder: nothing to mount."""
        if self._is_whole(descriptor):
            return "present"
        self._store.prepare()
        content = OutgoingBlob(open_content(), descriptor, str(self))
        try:
            with self._store.new_file(self._store.blob_path(descriptor.digest)) as file:
                for piece in content:
                    file.write(piece)
        finally:
            content.close()
        return "uploaded"

    def push_manifest(self, manifest: oci.StoredManifest, tag: str | None, *, replace: bool = True) -> str:
        """Store the manifest by `tag`, or by digest; return the digest read back from the folder."""
        self._store.prepare()
        with self._store.new_file(self._store.blob_path(manifest.digest)) as file:
            file.write(manifest.content)
        self._store.change_index(self._entering(manifest, tag, replace))
        stored = self.find_manifest(manifest.digest)
        if stored is None:
            raise oci.wrong_manifest(manifest.digest, self.reference_to(manifest.digest), _RESTORE)
        return stored.digest

    def pull_blob(self, descriptor: oci.Descriptor, target: BinaryIO) -> None:
        """Write the verified blob to `target`; on failure nothing of it is left in a seekable one."""
        blob = IncomingBlob(target, descriptor, str(self), "the stored blob is damaged: publish it again")
        try:
            with open_regular(self._store.blob_path(descriptor.digest)) as file:
                for piece in iter(partial(file.read, PIECE), b""):
                    blob.write(piece)
            blob.verify()
        except OSError as error:
            blob.discard()
            raise local_failure("cannot read the blob", str(self), error) from error
        except BaseException:
            blob.discard()
            raise

    def _entering(
        self, manifest: oci.StoredManifest, tag: str | None, replace: bool
    ) -> Callable[[list[IndexEntry]], list[IndexEntry]]:
        """Return the change that enters the manifest; it runs with the index to itself."""
        entry: IndexEntry = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.content),
        }

        def enter(entries: list[IndexEntry]) -> list[IndexEntry]:
            if tag is None:
                known = any(other["digest"] == manifest.digest for other in entries)
                return entries if known else [*entries, entry]
            ref_name = self._ref_name(tag)
            taken = [other for other in entries if _annotations(other).get(oci.REF_NAME) == ref_name]
            if not replace:
                find_ours(self, tag, digest=manifest.digest)
            bare = [e for e in entries if e["digest"] == manifest.digest and not _annotations(e)]
            kept = [other for other in entries if other not in taken and other not in bare]
            return [*kept, {**entry, "annotations": {oci.REF_NAME: ref_name, REPOSITORY: self.name}}]

        return enter

    def _find_entry(self, tag_or_digest: str) -> IndexEntry | None:
        entries: list[IndexEntry] = self._store.read_index()["manifests"]
        if ":" in tag_or_digest:
            return next((entry for entry in entries if entry["digest"] == tag_or_digest), None)
        ref_name = self._ref_name(tag_or_digest)
        return next((entry for entry in entries if _annotations(entry).get(oci.REF_NAME) == ref_name), None)

    def _tag_of(self, entry: IndexEntry) -> str:
        """Return the entry's tag if it is this repository's, else an empty string."""
        ref_name = _annotations(entry).get(oci.REF_NAME, "")
        owner = _annotations(entry).get(REPOSITORY, self.name)
        prefix = f"{self.name}-" if self.name else ""
        return ref_name.removeprefix(prefix) if owner == self.name and ref_name.startswith(prefix) else ""

    def _ref_name(self, tag: str) -> str:
        return self._destination.artifact(self.name, tag).layout_tag


def _annotations(entry: IndexEntry) -> dict[str, str]:
    found = entry.get("annotations")
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}
