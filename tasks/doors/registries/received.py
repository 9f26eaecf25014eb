"""Read manifests that came from elsewhere: bytes first, words after."""

from __future__ import annotations

import json
from typing import Any

from pluginyard.errors import RegistryError
from pluginyard.oci import DOCKER_MANIFEST_LIST, INDEX, MANIFEST, MANIFEST_TYPES, Descriptor, StoredManifest

MANIFEST_LIMIT = 4 * 1024 * 1024
"""Most bytes of a manifest or answer that are read: distribution-spec v1.1 asks registries for 4 MiB."""


def read_manifest(content: bytes, content_type: str, subject: str) -> StoredManifest:
    """Return the manifest with its media type: as declared, else as it says itself, else OCI's."""
    fields = _fields(content, subject)
    declared = content_type.partition(";")[0].strip()
    inner = fields.get("mediaType")
    media_type = declared if declared in MANIFEST_TYPES else inner if isinstance(inner, str) else MANIFEST
    return StoredManifest(content, media_type)


def blobs_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the config and the layers of a manifest, each digest once; none for an index."""
    fields = _fields(manifest.content, subject)
    listed = [fields.get("config"), *(fields.get("layers") or [])] if not is_index(manifest) else []
    found = (_descriptor(entry, subject) for entry in listed if entry is not None)
    return tuple({descriptor.digest: descriptor for descriptor in found}.values())


def layers_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the layers of a manifest in their order; none for an index."""
    return tuple(_descriptor(entry, subject) for entry in _fields(manifest.content, subject).get("layers") or [])


def children_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the manifests of an index; none for a manifest."""
    fields = _fields(manifest.content, subject)
    listed = fields.get("manifests") or [] if is_index(manifest) else []
    return tuple(_descriptor(entry, subject) for entry in listed)


def annotations_of(manifest: StoredManifest) -> dict[str, str]:
    """Return the annotations of a manifest; none where they are not text."""
    found = _fields(manifest.content, "").get("annotations")
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def is_index(manifest: StoredManifest) -> bool:
    """Tell whether the manifest is an index over others."""
    return manifest.media_type in {INDEX, DOCKER_MANIFEST_LIST}


def wrong_manifest(digest: str, subject: str) -> RegistryError:
    """Return the error for a manifest that is not what its digest says."""
    return RegistryError(
        f"the manifest received is not {digest}",
        subject=subject,
        remedy="the stored manifest is corrupted: publish it again",
    )


def _fields(content: bytes, subject: str) -> dict[str, Any]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise RegistryError("the answer is no manifest", subject=subject, remedy="check that this is a registry")
    return fields


def _descriptor(entry: Any, subject: str) -> Descriptor:
    try:
        digest, size = str(entry["digest"]), int(entry["size"])
        annotations = {str(key): str(text) for key, text in (entry.get("annotations") or {}).items()}
        return Descriptor(str(entry.get("mediaType", "")), check_digest(digest, subject), size, annotations)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RegistryError(
            "the manifest has a descriptor without digest and size", subject=subject, remedy="publish it again"
        ) from None


def check_digest(digest: str, subject: str) -> str:
    """Return `digest` if it is a sha256 digest; raise RegistryError otherwise: it becomes a path or address."""
    head, _, tail = digest.partition(":")
    if head != "sha256" or len(tail) != 64 or not set(tail) <= set("0123456789abcdef"):
        raise RegistryError(f"not a sha256 digest: {digest[:80]!r}", subject=subject, remedy="use sha256 digests")
    return digest
