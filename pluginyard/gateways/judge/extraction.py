"""How a gateway gets from an image to the module: docker, compat, oci, in its order and with its words.

Source: `imagefetcher.go` of Istio and of Envoy Gateway, which Higress's agent shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pluginyard import oci
from pluginyard.gateways.hosts import HIGRESS, HOSTS
from pluginyard.gateways.judge.archive import PLUGIN, ArchiveEntry, TarReader, open_archive
from pluginyard.gateways.judge.artifact import Artifact, CheckedBlob, Layers
from pluginyard.gateways.judge.gunzip import ArchiveFaultError
from pluginyard.gateways.verdict import Refusal, Variant
from pluginyard.gateways.wasm import MalformedModuleError, WasmModule, read_module
from pluginyard.rules import Finding, find

_MAX_OTHERS = 100
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Extraction:
    """Hold the module and how it was reached, or why it was not."""

    variant: Variant | None = None
    module: WasmModule | None = None
    refusal: Refusal | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Gateways that word the refusal otherwise, and how."""
    findings: tuple[Finding, ...] = ()


class _RefusedError(Exception):
    """One variant does not apply."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True)
class _Unpacked:
    module: WasmModule | None
    refusal: Refusal | None
    findings: tuple[Finding, ...] = ()


def extract_module(artifact: Artifact, layers: Layers, reference: str, limit_bytes: int) -> Extraction:
    """Return the module a gateway would take from `artifact`, at most `limit_bytes` bytes of it."""
    if artifact.media_type == oci.DOCKER_MANIFEST:
        try:
            return _found("docker", _take_archive(artifact, layers, oci.DOCKER_ARCHIVE_LAYER, limit_bytes), reference)
        except _RefusedError as error:
            lead = "could not extract Wasm file from the image as Docker container "
            return Extraction(refusal=_with_reason(error.refusal, lead + error.refusal.reason))
    try:
        return _found("compat", _take_archive(artifact, layers, oci.ARCHIVE_LAYER, limit_bytes), reference)
    except _RefusedError as error:
        compat = error.refusal
    try:
        return _found("oci", _take_raw(artifact, layers, limit_bytes), reference)
    except _RefusedError as error:
        return _neither(artifact, compat, error.refusal)


def _found(variant: Variant, unpacked: _Unpacked, reference: str) -> Extraction:
    refusal = unpacked.refusal
    if refusal and refusal.reason == "fetched Wasm binary is invalid":
        refusal = _with_reason(refusal, f"fetched Wasm binary from {reference or 'the image'} is invalid")
    return Extraction(variant, unpacked.module, refusal, findings=unpacked.findings)


def _with_reason(refusal: Refusal, reason: str) -> Refusal:
    return Refusal(refusal.rule, reason, refusal.message, refusal.remedy)


def _take_archive(artifact: Artifact, layers: Layers, expected: str, limit: int) -> _Unpacked:
    last = artifact.last
    if last is None:
        raise _RefusedError(Refusal("M2", "number of layers must be greater than zero", "the image has no layers"))
    if last.media_type != expected:
        reason = f"invalid media type {last.media_type} (expect {expected})"
        raise _RefusedError(Refusal("M2", reason, _wrong_last_layer(artifact, expected)))
    try:
        return layers.visit(len(artifact.layers) - 1, lambda blob: unpack(blob, limit))
    except ArchiveFaultError as error:
        reason = f"could not extract wasm binary: {error.reason}"
        raise _RefusedError(Refusal("M3", reason, f"the last layer cannot be unpacked: {error.args[0]}")) from None


def _take_raw(artifact: Artifact, layers: Layers, limit: int) -> _Unpacked:
    count = len(artifact.layers)
    if count != 2:
        reason = f"number of layers must be 2 but got {count}"
        raise _RefusedError(Refusal("M2", reason, f"the oci variant has two layers, not {count}"))
    index = next((i for i, layer in enumerate(artifact.layers) if layer.media_type == oci.WASM_LAYER), None)
    if index is None:
        reason = f"could not find the layer of type {oci.WASM_LAYER}"
        raise _RefusedError(Refusal("M2", reason, "neither of the two layers is a raw wasm layer"))
    return layers.visit(index, lambda blob: _read(blob, limit))


def _read(blob: CheckedBlob | TarReader, limit: int) -> _Unpacked:
    try:
        return _Unpacked(read_module(blob, limit_bytes=limit), None)
    except MalformedModuleError as error:
        return _Unpacked(None, Refusal("M5", error.reason, f"plugin.wasm: {error.message}", error.remedy))


def unpack(blob: CheckedBlob, limit: int) -> _Unpacked:
    """Return the module in the tar.gz `blob`; raise ArchiveFaultError where a gateway's reader gives up."""
    archive, others = open_archive(blob, limit), 0
    for entry in archive:
        if entry.size > limit:
            message = f"{entry.name[:80]!r} announces {entry.size} bytes, which a gateway would allocate at once"
            raise ArchiveFaultError(message, f"failed to read {PLUGIN}: unexpected EOF")
        if entry.base == PLUGIN:
            return _read_entry(archive, entry, others, limit)
        others += entry.kind != "global header"
    raise ArchiveFaultError(f"{PLUGIN} is not in it", f"{PLUGIN} not found in the archive")


def _read_entry(archive: TarReader, entry: ArchiveEntry, others: int, limit: int) -> _Unpacked:
    if entry.kind != "file":
        return _odd_entry(entry)
    try:
        unpacked = _read(archive, limit)
        while archive.read(_BLOCK):
            pass
    except ArchiveFaultError as error:
        raise ArchiveFaultError(error.args[0], f"failed to read {PLUGIN}: {error.reason}") from None
    return _Unpacked(unpacked.module, unpacked.refusal, _judge_rest(archive, entry, others))


def _odd_entry(entry: ArchiveEntry) -> _Unpacked:
    message = f"{PLUGIN} is a {entry.kind}, not a regular file"
    if entry.kind == "sparse file":
        raise ArchiveFaultError(message, f"{PLUGIN} is sparse: gateways expand it, pluginyard refuses it")
    if entry.size:
        raise ArchiveFaultError(message, f"failed to read {PLUGIN}: EOF")
    return _Unpacked(None, Refusal("M3", "fetched Wasm binary is invalid", f"{message}: gateways read nothing"))


def _judge_rest(archive: TarReader, plugin: ArchiveEntry, others: int) -> tuple[Finding, ...]:
    """Look at what follows plugin.wasm: gateways do not, so it is no more than a warning (rule M4)."""
    try:
        for entry in archive:
            others += entry.kind != "global header"
            if others > _MAX_OTHERS:
                break
    except ArchiveFaultError as error:
        return (find("M4", f"after {PLUGIN} the archive is damaged: {error.args[0]}"),)
    if others:
        many = "100 or more" if others > _MAX_OTHERS else str(others)
        return (find("M4", f"besides {PLUGIN} the archive holds {many} other entries"),)
    return () if plugin.name == PLUGIN else (find("M4", f"the entry is named {plugin.name[:80]!r}, not {PLUGIN}"),)


def _neither(artifact: Artifact, compat: Refusal, raw: Refusal) -> Extraction:
    """Return the refusal of both variants: the gateways' combined text, and the cause it hides."""
    lead = "the given image is in invalid format as an OCI image: "
    first = f"could not parse as compat variant: {compat.reason}"
    second = f"could not parse as oci variant: {raw.reason}"
    reasons = {name: lead + host.neither_variant.format(compat=first, oci=second) for name, host in HOSTS.items()}
    cause = compat.message
    if len(artifact.layers) == 1 and artifact.layers[0].media_type == oci.WASM_LAYER:
        cause = "one raw wasm layer is no variant that gateways know: they want an archive as the last layer"
    return Extraction(
        refusal=Refusal(compat.rule, reasons[HIGRESS.name], cause, compat.remedy),
        reasons=reasons,
    )


def _wrong_last_layer(artifact: Artifact, expected: str) -> str:
    last = artifact.layers[-1]
    title = f" ({last.title})" if last.title else ""
    said = f"gateways read the last layer only; it{title} has type {last.media_type}, not {expected}"
    elsewhere = [i for i, layer in enumerate(artifact.layers) if layer.media_type == expected]
    return f"{said}; the archive is layer {elsewhere[-1] + 1} of {len(artifact.layers)}" if elsewhere else said
