"""Is a version published, free or taken? Decided here; asked at the registry door, and nowhere else."""

from __future__ import annotations

from pluginyard.errors import VersionTakenError
from pluginyard.oci.descriptors import BUILDER, FINGERPRINT, REVISION, StoredManifest
from pluginyard.oci.manifests import annotations_of


def is_published(
    stored: StoredManifest | None, subject: str, *, digest: str = "", fingerprint: str = "", overwrite: bool = False
) -> bool:
    """Return whether what a version's tag holds (`stored`) is ours; if not, the tag is free for us.

    Ours is what has our `digest`, or, before that is known, the `fingerprint` of the same inputs. Raises
    VersionTakenError for anything else, unless it is to be overwritten.
    """
    if stored is None:
        return False
    known = annotations_of(stored)
    if stored.digest == digest if digest else known.get(FINGERPRINT) == fingerprint:
        return True
    if overwrite:
        return False
    if digest:
        raise VersionTakenError(
            f"the version is published already, as {stored.digest}",
            subject=subject,
            remedy="publish a new version, or ask for overwriting",
        )
    raise VersionTakenError(
        f"the version is published already, from other inputs: {stored.digest}, commit "
        f"{known.get(REVISION, 'unknown')}, builder {known.get(BUILDER, 'unknown')}",
        subject=subject,
        remedy="release a new version; --overwrite moves the tag, and gateways that hold it notice late",
    )
