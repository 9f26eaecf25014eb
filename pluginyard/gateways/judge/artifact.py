"""An artifact as a gateway sees it: the image manifest behind a reference, its layers, each read once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from pluginyard import oci
from pluginyard.gateways.verdict import Refusal

_BLOCK = 1 << 16
_INDEXES = (oci.INDEX, oci.DOCKER_MANIFEST_LIST)
_MAX_DEPTH = 3

T = TypeVar("T")
OpenBlob = Callable[[oci.Descriptor], BinaryIO]
ResolveChild = Callable[[oci.Descriptor], oci.StoredManifest]


class UnreadableManifestError(Exception):
    """The reference leads to no image manifest (rule M1). Never leaves the judge."""

    def __init__(self, message: str, reason: str, remedy: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal("M1", reason, message, remedy)


@dataclass(frozen=True)
class Artifact:
    """Hold an image manifest, parsed."""

    digest: str
    media_type: str
    """The manifest's own `mediaType` field: what decides about the docker variant."""
    config: oci.Descriptor
    layers: tuple[oci.Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    foreign: tuple[int, ...] = ()
    """Indexes of the layers that name URLs of their own."""

    @property
    def last(self) -> oci.Descriptor | None:
        """Return the layer gateways read."""
        return self.layers[-1] if self.layers else None


def resolve_artifact(manifest: oci.StoredManifest, resolve_child: ResolveChild | None) -> Artifact:
    """Return the image behind `manifest`; of an index, the linux/amd64 child.

    Raises UnreadableManifestError. An entry without a platform counts as linux/amd64, as in
    go-containerregistry, which all gateways use.
    """
    for _ in range(_MAX_DEPTH):
        try:
            fields = oci.parse_fields(manifest.content)
            if manifest.media_type not in _INDEXES and "manifests" not in fields:
                return _parse_artifact(manifest, fields)
            entries = oci.parse_list(fields, "manifests")
            child = next((oci.parse_descriptor(entry) for entry in entries if _is_linux_amd64(entry)), None)
        except oci.MalformedManifestError as error:
            raise UnreadableManifestError(str(error), f"could not retrieve manifest: {error}") from None
        if child is None:
            reason = "could not fetch image: no child with platform linux/amd64 in index"
            raise UnreadableManifestError("the index has no linux/amd64 child", reason)
        if resolve_child is None:
            raise UnreadableManifestError("the child of the index cannot be read here", "could not fetch image")
        manifest = resolve_child(child)
    raise UnreadableManifestError("indexes are nested too deeply", "could not fetch image")


def _is_linux_amd64(entry: Any) -> bool:
    platform = entry.get("platform") if isinstance(entry, dict) else None
    if not isinstance(platform, dict):
        return isinstance(entry, dict)
    return (platform.get("os"), platform.get("architecture")) == ("linux", "amd64")


def _parse_artifact(manifest: oci.StoredManifest, fields: dict[str, Any]) -> Artifact:
    media_type = fields.get("mediaType", "")
    accepted = (manifest.media_type or media_type) in (oci.MANIFEST, oci.DOCKER_MANIFEST, "")
    if fields.get("schemaVersion") != 2 or not accepted or not isinstance(media_type, str):
        kind = manifest.media_type or media_type
        raise UnreadableManifestError(
            f"this is no image manifest: {kind}", f"could not fetch image: unsupported MediaType: {kind!r}"
        )
    layers = oci.parse_list(fields, "layers")
    return Artifact(
        digest=manifest.digest,
        media_type=media_type,
        config=oci.parse_descriptor(fields.get("config")),
        layers=tuple(map(oci.parse_descriptor, layers)),
        annotations=oci.parse_annotations(fields),
        foreign=tuple(index for index, layer in enumerate(layers) if layer.get("urls")),
    )


class CheckedBlob:
    """Read a layer once and compare it with its descriptor on the way; never more than is announced."""

    def __init__(self, stream: BinaryIO, descriptor: oci.Descriptor) -> None:
        self._stream, self._descriptor = stream, descriptor
        self._passed = oci.HashedCount()

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        left = self._descriptor.size - self._passed.count
        return self._passed.add(self._stream.read(min(left, size) if size >= 0 else left))

    def compare(self) -> str:
        """Read what is left; return how the content departs from the descriptor, or an empty string."""
        while self.read(_BLOCK):
            pass
        announced, count = self._descriptor.size, self._passed.count
        if count < announced:
            return f"{count} bytes, announced are {announced}"
        if self._stream.read(1):
            return f"more than the {announced} bytes announced"
        if self._passed.digest == self._descriptor.digest:
            return ""
        return f"the digest is {self._passed.digest}, announced is {self._descriptor.digest}"


class Layers:
    """Open the layers of an artifact, each once, and remember which depart from their descriptors."""

    def __init__(self, artifact: Artifact, open_blob: OpenBlob) -> None:
        self._artifact, self._open_blob = artifact, open_blob
        self.faults: dict[int, str] = {}
        self.done: set[int] = set()

    def visit(self, index: int, look: Callable[[CheckedBlob], T]) -> T:
        """Let `look` read layer `index`, then read the rest and compare; what `look` raises is raised after that."""
        descriptor = self._artifact.layers[index]
        self.done.add(index)
        with contextlib.closing(self._open_blob(descriptor)) as stream:
            blob = CheckedBlob(stream, descriptor)
            try:
                return look(blob)
            finally:
                if fault := blob.compare():
                    self.faults[index] = fault
