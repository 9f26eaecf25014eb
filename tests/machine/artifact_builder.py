"""Build artifacts in memory, good ones and every kind of bad one, and hand them to the judge."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pluginyard import oci
from pluginyard.gateways import Verdict
from pluginyard.gateways.judge import judge_artifact
from pluginyard.oci import ICON, README, SPEC, Descriptor, StoredManifest, digest_of
from tests.machine.wasm_builder import plugin

CONFIG = "application/vnd.oci.image.config.v1+json"
GOOD_SPEC = b"""apiVersion: 1.0.0
info:
  category: auth
  name: request-block
  title: Request Block
  description: blocks
  version: 1.0.0
spec:
  phase: UNSPECIFIED_PHASE
  priority: 320
  configSchema:
    openAPIV3Schema:
      type: object
      example:
        blocked: [/hello.html]
      required: [blocked]
      properties:
        blocked:
          type: array
          x-scope: GLOBAL
          items:
            type: string
"""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def tar_of(*entries: tuple[str, bytes] | tuple[str, bytes, dict[str, Any]]) -> bytes:
    """Return a tar of (name, content[, fields of TarInfo])."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, *fields in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in (fields[0] if fields else {}).items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return out.getvalue()


def archive_of(module: bytes, name: str = "plugin.wasm") -> bytes:
    """Return a tar.gz with the module in it."""
    return gzip.compress(tar_of((name, module)), mtime=0)


@dataclass
class Layer:
    """Describe one layer; `digest`, `size` and `urls` can be made to lie."""

    media_type: str
    content: bytes
    title: str = ""
    digest: str = ""
    size: int = -1
    urls: Sequence[str] = ()

    @property
    def stated_digest(self) -> str:
        return self.digest or digest_of(self.content)

    def to_json(self) -> dict[str, Any]:
        size = len(self.content) if self.size < 0 else self.size
        plain: dict[str, Any] = {"mediaType": self.media_type, "digest": self.stated_digest, "size": size}
        plain |= {"annotations": {oci.TITLE: self.title}} if self.title else {}
        return plain | ({"urls": list(self.urls)} if self.urls else {})


@dataclass
class Image:
    """Describe an artifact; what is not given is as good as can be."""

    layers: Sequence[Layer] = ()
    media_type: str = oci.MANIFEST
    config: str = CONFIG
    annotations: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> StoredManifest:
        plain = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": {"mediaType": self.config, "digest": digest_of(b"{}"), "size": 2},
            "layers": [layer.to_json() for layer in self.layers],
            "annotations": self.annotations,
        }
        return StoredManifest(json.dumps(plain).encode(), self.media_type)

    def open_blob(self, descriptor: Descriptor) -> io.BytesIO:
        self.opened.append(descriptor.digest)
        return io.BytesIO(next(x.content for x in self.layers if x.stated_digest == descriptor.digest))

    def judge(self, **options: Any) -> Verdict:
        """Return the verdict on this image."""
        return judge_artifact(manifest=self.manifest, open_blob=self.open_blob, **options)


def archive_layer(module: bytes | None = None, *, content: bytes | None = None) -> Layer:
    """Return the layer gateways read."""
    packed = content if content is not None else archive_of(plugin() if module is None else module)
    return Layer(oci.ARCHIVE_LAYER, packed, "plugin.tar.gz")


def documents() -> list[Layer]:
    """Return the layers in front of the archive, all good."""
    return [Layer(SPEC, GOOD_SPEC, "spec.yaml"), Layer(README, b"# It\n", "README.md"), Layer(ICON, PNG, "icon.png")]


def good_image(module: bytes | None = None) -> Image:
    """Return an artifact nothing can be said against."""
    return Image([*documents(), archive_layer(module)])


def compat_image(content: bytes) -> Image:
    """Return an artifact whose archive layer is `content`."""
    return Image([*documents(), archive_layer(content=content)])
