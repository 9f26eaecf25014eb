"""OCI words as values: descriptors and the bytes of a manifest.

Source of every field: OCI image-spec v1.1, `descriptor.md` and `manifest.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pluginyard.oci.digests import digest_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (MANIFEST, DOCKER_MANIFEST, INDEX, DOCKER_MANIFEST_LIST)

ARCHIVE_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_ARCHIVE_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
WASM_LAYER = "application/vnd.module.wasm.content.layer.v1+wasm"
WASM_CONFIG_LAYER = "application/vnd.module.wasm.config.v1+json"
SPEC = "application/vnd.module.wasm.spec.v1+yaml"
README = "application/vnd.module.wasm.doc.v1+markdown"
ICON = "application/vnd.module.wasm.icon.v1+png"

TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"
REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
VERSION = "org.opencontainers.image.version"
REF_NAME = "org.opencontainers.image.ref.name"
FINGERPRINT = "io.pluginyard.fingerprint"
BUILDER = "io.pluginyard.builder"


def canonical_json(value: Any) -> bytes:
    """Return `value` as compact JSON in insertion order: the same value gives the same bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Descriptor:
    """Name a blob or manifest by type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the file name the layer stands for, or an empty string."""
        return self.annotations.get(TITLE, "")

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as the manifest writes it."""
        plain: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return plain | ({"annotations": dict(self.annotations)} if self.annotations else {})


@dataclass(frozen=True)
class StoredManifest:
    """Hold a manifest exactly as a registry or layout folder stores it."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Return the digest of the bytes; never what a header claims."""
        return digest_of(self.content)
