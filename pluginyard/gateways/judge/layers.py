"""What the Higress document asks of the layers beyond what a gateway needs: rules M8 to M15."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pluginyard import oci
from pluginyard.gateways.judge.artifact import Artifact, CheckedBlob, Layers
from pluginyard.oci import ICON, README, SPEC
from pluginyard.rules import Finding, find

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024  # of a layer that no gateway reads
_TRANSLATION = re.compile(r"application/vnd\.module\.wasm\.doc\.v1\.([A-Za-z0-9_-]+)\+markdown")
_LANGUAGES = ("zh", "en")
_ARCHIVES = (oci.ARCHIVE_LAYER, oci.DOCKER_ARCHIVE_LAYER)
_SPECIFIED = (SPEC, README, ICON, oci.ARCHIVE_LAYER)
_KNOWN_CONFIGS = (
    "application/vnd.unknown.config.v1+json",
    "application/vnd.oci.empty.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_PNG = b"\x89PNG\r\n\x1a\n"


def judge_layers(artifact: Artifact) -> Iterator[Finding]:
    """Yield what the manifest alone shows: rules M8 to M11, M13, M14."""
    yield from _judge_types(artifact)
    archives = [index for index, layer in enumerate(artifact.layers) if layer.media_type in _ARCHIVES]
    if archives and archives[-1] != len(artifact.layers) - 1:
        yield find("M9", f"the archive is layer {archives[-1] + 1} of {len(artifact.layers)}")
    types = {layer.media_type for layer in artifact.layers}
    for media_type, name in ((SPEC, "spec.yaml"), (README, "README.md")):
        if media_type not in types:
            yield find("M10", f"there is no {name} layer")
    yield from _judge_translations(artifact)
    if artifact.config.media_type not in _KNOWN_CONFIGS:
        yield find("M13", f"config type {artifact.config.media_type}: gateways take it, registries may refuse it")
    # With pluginyard's fingerprint the time is the commit's, so it repeats.
    if oci.CREATED in artifact.annotations and oci.FINGERPRINT not in artifact.annotations:
        yield find("M14", f"created is {artifact.annotations[oci.CREATED]}: set by the clock, it changes the digest")


def _judge_types(artifact: Artifact) -> Iterator[Finding]:
    for media_type, times in Counter(layer.media_type for layer in artifact.layers).items():
        if media_type not in _SPECIFIED and not _TRANSLATION.fullmatch(media_type):
            yield find("M8", f"layer type {media_type} is not in the specification")
        elif times > 1:
            yield find("M8", f"{times} layers have the type {media_type}")


def _judge_translations(artifact: Artifact) -> Iterator[Finding]:
    for layer in artifact.layers:
        found = _TRANSLATION.fullmatch(layer.media_type)
        if not found:
            continue
        language = found[1].lower()
        if language not in _LANGUAGES:
            yield find("M11", f"{layer.title or layer.media_type}: {found[1]!r} is not a language of the console")
        if layer.title and layer.title.lower() != f"readme_{language}.md":
            yield find("M11", f"the file is {layer.title}, but its type says language {found[1]!r}")


def judge_contents(artifact: Artifact, layers: Layers) -> Iterator[Finding]:
    """Read the layers that were not read yet and yield what their content shows: rules M12, M15."""
    for index, layer in enumerate(artifact.layers):
        if index in layers.done:
            continue
        if layer.size > MAX_DOCUMENT_BYTES:
            yield find("M12", f"layer {index + 1} has {layer.size} bytes and was not read")
        elif layer.media_type == ICON:
            yield from layers.visit(index, _judge_icon)
        else:
            layers.visit(index, lambda _: None)
    for index, fault in sorted(layers.faults.items()):
        yield find("M12", f"layer {index + 1} ({artifact.layers[index].title or 'untitled'}): {fault}")
    for index in artifact.foreign:
        yield find("M12", f"layer {index + 1} names URLs of its own; gateways do not follow them")


def _judge_icon(blob: CheckedBlob) -> list[Finding]:
    return [] if blob.read(len(_PNG)) == _PNG else [find("M15", "the icon is no PNG")]
