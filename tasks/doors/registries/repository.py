"""What every artifact repository can do, be it in a registry or in an OCI image layout folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Literal, Protocol

from pluginyard.oci import Descriptor, StoredManifest, is_published

OpenContent = Callable[[], BinaryIO]
"""Opens the content of a blob from its start; called again for each new try, closed by the callee."""
PushedBlob = Literal["present", "mounted", "uploaded"]


class ArtifactRepository(Protocol):
    """One artifact repository. Every method raises PluginyardErrors only.

    AuthenticationError: 401 or 403, never tried again. RegistryUnavailableError: still failing after the
    allowed attempts. RegistryError: refused, or the content is not what its digest says.
    """

    @property
    def host(self) -> str:
        """Return the registry's host; empty for a layout folder."""

    @property
    def name(self) -> str:
        """Return the repository's name within the host or folder."""

    def reference_to(self, tag_or_digest: str) -> str:
        """Return the reference of an artifact that is here, or may be."""

    def log_in(self) -> str:
        """Have the credentials accepted; return where they came from, or `anonymous`."""

    def find_manifest(self, tag_or_digest: str) -> StoredManifest | None:
        """Return the manifest, digest verified; None only where the registry says that there is none."""

    def list_tags(self) -> tuple[str, ...]:
        """Return the tags in the registry's order; empty where the repository does not exist yet."""

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Return whether the blob is there."""

    def is_intact(self, manifest: StoredManifest) -> bool:
        """Return whether the blobs of `manifest` are what their digests say, where asking costs no request."""

    def push_blob(self, descriptor: Descriptor, open_content: OpenContent, *, mount_from: str = "") -> PushedBlob:
        """Bring the blob there as a stream; `mount_from` names a repository of this host that has it."""

    def push_manifest(self, manifest: StoredManifest, tag: str | None, *, replace: bool = True) -> str:
        """Store the manifest by `tag`, or by digest; return the digest that stands there now.

        Without `replace`, a tag that already holds another digest stays: VersionTakenError.
        """

    def pull_blob(self, descriptor: Descriptor, target: BinaryIO) -> None:
        """Write the verified blob to `target`; on failure nothing of it is left in a seekable one."""


def find_ours(
    repository: ArtifactRepository, version: str, *, digest: str = "", fingerprint: str = "", overwrite: bool = False
) -> StoredManifest | None:
    """Return what stands under `version` where it is ours, None where it is free; raise VersionTakenError.

    See `is_published` for what is ours.
    """
    stored = repository.find_manifest(version)
    subject = repository.reference_to(version)
    return (
        stored if is_published(stored, subject, digest=digest, fingerprint=fingerprint, overwrite=overwrite) else None
    )
