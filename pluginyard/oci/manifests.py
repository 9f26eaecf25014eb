"""Read manifests that came from elsewhere: bytes first, words after."""

from __future__ import annotations

from typing import Any

from pluginyard.errors import RegistryError
from pluginyard.oci.descriptors import DOCKER_MANIFEST_LIST, INDEX, MANIFEST, MANIFEST_TYPES, Descriptor, StoredManifest
from pluginyard.parsing import MAX_JSON_BYTES, load_json

MANIFEST_LIMIT = MAX_JSON_BYTES
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
    listed = [fields.get("config"), *_list(fields, "layers", subject)] if not is_index(manifest) else []
    found = (_descriptor(entry, subject) for entry in listed if entry is not None)
    return tuple({descriptor.digest: descriptor for descriptor in found}.values())


def layers_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the layers of a manifest in their order; none for an index."""
    listed = _list(_fields(manifest.content, subject), "layers", subject)
    return tuple(_descriptor(entry, subject) for entry in listed)


def children_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the manifests of an index; none for a manifest."""
    fields = _fields(manifest.content, subject)
    listed = _list(fields, "manifests", subject) if is_index(manifest) else []
    return tuple(_descriptor(entry, subject) for entry in listed)


def annotations_of(manifest: StoredManifest) -> dict[str, str]:
    """Return the annotations of a manifest; none where they are not text."""
    found = _fields(manifest.content, "").get("annotations")
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def is_index(manifest: StoredManifest) -> bool:
    """Tell whether the manifest is an index over others."""
    return manifest.media_type in {INDEX, DOCKER_MANIFEST_LIST}


def wrong_manifest(digest: str, subject: str, remedy: str) -> RegistryError:
    """Return the error for a manifest that is not what its digest says."""
    return RegistryError(f"the manifest received is not {digest}", subject=subject, remedy=remedy)


def _fields(content: bytes, subject: str) -> dict[str, Any]:
    try:
        fields = load_json(content, MANIFEST_LIMIT)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise RegistryError("the answer is no manifest", subject=subject, remedy="check that this is a registry")
    return fields


def _list(fields: dict[str, Any], key: str, subject: str) -> list[Any]:
    found = fields.get(key) or []
    if not isinstance(found, list):
        raise RegistryError(f"the manifest's {key} are no list", subject=subject, remedy="publish it again")
    return found


def _descriptor(entry: Any, subject: str) -> Descriptor:
    plain = entry if isinstance(entry, dict) else {}
    digest, size, annotations = plain.get("digest"), plain.get("size"), plain.get("annotations") or {}
    if not isinstance(digest, str) or type(size) is not int or size < 0 or not isinstance(annotations, dict):
        raise RegistryError(
            "the manifest has a descriptor without digest and size", subject=subject, remedy="publish it again"
        )
    notes = {str(key): str(text) for key, text in annotations.items()}
    return Descriptor(str(plain.get("mediaType", "")), check_digest(digest, subject), size, notes)


def check_digest(digest: str, subject: str) -> str:
    """Return `digest` if it is a sha256 digest; raise RegistryError otherwise: it becomes a path or address."""
    head, _, tail = digest.partition(":")
    if head != "sha256" or len(tail) != 64 or not set(tail) <= set("0123456789abcdef"):
        raise RegistryError(f"not a sha256 digest: {digest[:80]!r}", subject=subject, remedy="use sha256 digests")
    return digest
