"""Read manifests that came from elsewhere: the one parser for what is pushed, pulled and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pluginyard.errors import RegistryError
from pluginyard.oci.descriptors import DOCKER_MANIFEST_LIST, INDEX, MANIFEST, MANIFEST_TYPES, Descriptor, StoredManifest
from pluginyard.oci.digests import is_digest
from pluginyard.parsing import MAX_JSON_BYTES, load_json

MANIFEST_LIMIT = MAX_JSON_BYTES
"""Most bytes of a manifest or answer that are read: distribution-spec v1.1 asks registries for 4 MiB."""


class MalformedManifestError(Exception):
    """The bytes are no manifest; their reader says where they come from."""


def parse_fields(content: bytes) -> dict[str, Any]:
    """Return the fields of a manifest or index; raise MalformedManifestError."""
    if len(content) > MANIFEST_LIMIT:
        raise MalformedManifestError(f"the manifest is larger than {MANIFEST_LIMIT} bytes")
    try:
        fields = load_json(content, MANIFEST_LIMIT)
    except ValueError:
        raise MalformedManifestError("the manifest is not JSON") from None
    if not isinstance(fields, dict):
        raise MalformedManifestError("the manifest is no JSON object")
    return fields


def parse_list(fields: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under `key`, empty where there is none; raise MalformedManifestError."""
    found = fields.get(key)
    if found is not None and not isinstance(found, list):
        raise MalformedManifestError(f"{key} are no list")
    return found or []


def parse_descriptor(entry: Any) -> Descriptor:
    """Return the descriptor that `entry` holds; raise MalformedManifestError."""
    plain = entry if isinstance(entry, dict) else {}
    media_type, digest, size = plain.get("mediaType", ""), plain.get("digest"), plain.get("size")
    if not isinstance(digest, str) or not is_digest(digest) or not isinstance(media_type, str):
        raise MalformedManifestError("a descriptor has no sha256 digest, or no type")
    if type(size) is not int or not 0 <= size < 1 << 63:
        raise MalformedManifestError("a descriptor has no valid size")
    return Descriptor(media_type, digest, size, parse_annotations(plain))


def parse_annotations(plain: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations of a manifest or descriptor, as far as they are text."""
    found = plain.get("annotations")
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def read_manifest(content: bytes, content_type: str, subject: str) -> StoredManifest:
    """Return the manifest with its media type: as declared, else as it says itself, else OCI's."""
    with _translated("the answer is no manifest", subject, "check that this is a registry"):
        inner = parse_fields(content).get("mediaType")
    declared = content_type.partition(";")[0].strip()
    media_type = declared if declared in MANIFEST_TYPES else inner if isinstance(inner, str) else MANIFEST
    return StoredManifest(content, media_type)


def blobs_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the config and the layers of a manifest, each digest once; none for an index."""
    with _damaged(subject):
        fields = parse_fields(manifest.content)
        listed = [fields.get("config"), *parse_list(fields, "layers")] if not is_index(manifest) else []
        found = (parse_descriptor(entry) for entry in listed if entry is not None)
        return tuple({descriptor.digest: descriptor for descriptor in found}.values())


def layers_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the layers of a manifest in their order; none for an index."""
    return _descriptors(manifest, "layers", subject)


def children_of(manifest: StoredManifest, subject: str) -> tuple[Descriptor, ...]:
    """Return the manifests of an index; none for a manifest."""
    return _descriptors(manifest, "manifests", subject) if is_index(manifest) else ()


def annotations_of(manifest: StoredManifest) -> dict[str, str]:
    """Return the annotations of a manifest; none where they are not text."""
    with _damaged(""):
        return parse_annotations(parse_fields(manifest.content))


def is_index(manifest: StoredManifest) -> bool:
    """Return whether the manifest is an index over others."""
    return manifest.media_type in {INDEX, DOCKER_MANIFEST_LIST}


def wrong_manifest(digest: str, subject: str, remedy: str) -> RegistryError:
    """Return the error for a manifest that is not what its digest says."""
    return RegistryError(f"the manifest received is not {digest}", subject=subject, remedy=remedy)


def _descriptors(manifest: StoredManifest, key: str, subject: str) -> tuple[Descriptor, ...]:
    with _damaged(subject):
        return tuple(map(parse_descriptor, parse_list(parse_fields(manifest.content), key)))


@contextmanager
def _translated(said: str, subject: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except MalformedManifestError as error:
        raise RegistryError(f"{said}: {error}", subject=subject, remedy=remedy) from None


def _damaged(subject: str) -> Any:
    return _translated("the manifest cannot be read", subject, "publish it again")
