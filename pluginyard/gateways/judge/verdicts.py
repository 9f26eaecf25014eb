"""The judge: what would Higress, Istio, Envoy Gateway and Envoy say of this artifact, and why?

Pure: its caller brings the bytes. The same function judges what is about to be pushed and what was pulled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO

from pluginyard.errors import RequestError
from pluginyard.gateways.hosts import HIGRESS, HOSTS
from pluginyard.gateways.judge.artifact import (
    CheckedBlob,
    Layers,
    OpenBlob,
    ResolveChild,
    UnreadableManifestError,
    resolve_artifact,
)
from pluginyard.gateways.judge.extraction import Extraction, extract_module
from pluginyard.gateways.judge.layers import judge_contents, judge_layers
from pluginyard.gateways.judge.linking import abi_version, check_link, find_weaknesses, higress_only_reasons
from pluginyard.gateways.verdict import GatewayVerdict, ModuleFacts, Refusal, Variant, Verdict
from pluginyard.gateways.wasm import LIMIT_BYTES, MalformedModuleError, WasmModule, read_module
from pluginyard.oci import SPEC, ArtifactReference, StoredManifest, check_repository, check_tag
from pluginyard.rules import ERROR, WARNING, Finding, find
from pluginyard.specs import MAX_SPEC_BYTES, judge_documents


def judge_artifact(
    *,
    manifest: StoredManifest,
    open_blob: OpenBlob,
    resolve_child: ResolveChild | None = None,
    version: str = "",
    declared_version: str = "",
    reference: str = "",
    limit_bytes: int = LIMIT_BYTES,
) -> Verdict:
    """Return what every gateway would say of the artifact behind `manifest`.

    `version` is the tag and `declared_version` the VERSION file (rule S2; empty: not compared). Each layer is
    opened once and read in blocks; `limit_bytes` bounds what is decompressed. What is wrong with the artifact is
    in the verdict; only errors of `open_blob` and `resolve_child` are raised.
    """
    try:
        artifact = resolve_artifact(manifest, resolve_child)
    except UnreadableManifestError as error:
        return _verdict(Extraction(refusal=error.refusal), [])
    layers = Layers(artifact, open_blob)
    extraction = extract_module(artifact, layers, reference, limit_bytes)
    findings = [*extraction.findings, *judge_layers(artifact)]
    for index, layer in enumerate(artifact.layers):
        if layer.media_type == SPEC and index not in layers.done:
            content = layers.visit(index, _read_spec)
            findings += judge_documents(content, version=version, declared_version=declared_version)
    findings += judge_contents(artifact, layers)
    return _verdict(extraction, findings, artifact.digest)


def _read_spec(blob: CheckedBlob) -> bytes:
    """Read one byte more than is allowed, so that judge_documents sees that it is too much."""
    content = b""
    while len(content) <= MAX_SPEC_BYTES and (block := blob.read(MAX_SPEC_BYTES + 1 - len(content))):
        content += block
    return content


def judge_module(stream: BinaryIO, *, limit_bytes: int = LIMIT_BYTES) -> Verdict:
    """Return what every gateway would say of the bare module in `stream`: right after compiling."""
    try:
        module = read_module(stream, limit_bytes=limit_bytes)
    except MalformedModuleError as error:
        refusal = Refusal("M5", error.reason, f"plugin.wasm: {error.message}", error.remedy)
        return _verdict(Extraction(refusal=refusal), [])
    return _verdict(Extraction(module=module), [])


def add_findings(verdict: Verdict, findings: Iterable[Finding]) -> Verdict:
    """Return `verdict` with `findings` in their places among its own."""
    return replace(verdict, findings=_sorted([*verdict.findings, *findings]))


def _verdict(extraction: Extraction, findings: list[Finding], digest: str = "") -> Verdict:
    if extraction.refusal or not extraction.module:
        refusal = extraction.refusal or Refusal("M2", "no module", "no module was found")
        gateways = tuple(
            GatewayVerdict(name, False, extraction.variant, extraction.reasons.get(name, refusal.reason), refusal.rule)
            for name in HOSTS
        )
        return Verdict(gateways, _sorted([refusal.finding(), *findings]), None, digest)
    module = extraction.module
    refusals = {name: check_link(module, host) for name, host in HOSTS.items()}
    gateways = tuple(_gateway(name, refusal, extraction.variant) for name, refusal in refusals.items())
    linked = _judge_link(module, refusals)
    facts = ModuleFacts(module.size, module.digest, abi_version(module).replace("_", "."), len(module.imports))
    return Verdict(gateways, _sorted([*linked, *findings]), facts, digest)


def _gateway(name: str, refusal: Refusal | None, variant: Variant | None) -> GatewayVerdict:
    if refusal is None:
        return GatewayVerdict(name, True, variant)
    return GatewayVerdict(name, False, variant, refusal.reason, refusal.rule)


def _judge_link(module: WasmModule, refusals: dict[str, Refusal | None]) -> list[Finding]:
    """Return rules M6 and M7: an error where no gateway loads it, a warning where some do not."""
    findings = find_weaknesses(module)
    refused = [refusal for refusal in refusals.values() if refusal]
    if len(refused) == len(refusals):
        # Higress accepts the most, so its reason is the one that remains when the others are solved.
        return [(refusals[HIGRESS.name] or refused[0]).finding(ERROR), *findings]
    if reasons := higress_only_reasons(module):
        findings.append(find("M7", f"it loads on Higress only: {'; '.join(reasons)}"))
    elif refused:
        findings.append(refused[0].finding(WARNING))
    return findings


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return the findings, the most severe first, then by rule; each once."""
    order = {ERROR: 0, WARNING: 1}
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (order.get(f.level, 2), f.rule[0], int(re.sub(r"\D", "", f.rule)))))


def judge_reference(repository: str | None, tag: str | None) -> tuple[Finding, ...]:
    """Return whether a registry and a gateway accept this repository and tag (rule T1); None is not looked at."""
    findings = []
    for check, text in ((check_repository, repository), (check_tag, tag)):
        if text is None:
            continue
        try:
            check(text, subject=text)
        except RequestError as error:
            findings.append(find("T1", f"{text!r}: {error.message}", error.remedy))
    return tuple(findings)


def judge_naming(verdict: Verdict, reference: ArtifactReference) -> Verdict:
    """Return the verdict on the artifact under the name `reference`, with the address that gateways need (rule T3).

    Without `sha256` a gateway compares the digest in the address with that of the image, before it unpacks anything:
    `Get` and `getEntry` in the wasm cache of Istio, and of Envoy Gateway.
    """
    if reference.destination.is_layout or not verdict.digest:
        return verdict
    if reference.digest in ("", verdict.digest):
        return replace(verdict, url=f"oci://{reference}")
    address, found, asked = f"oci://{reference}", verdict.digest, reference.digest
    compared = f"has checksum {_hex(found)}, which does not match: {_hex(asked)}"
    refused = {
        gate.gateway: GatewayVerdict(gate.gateway, False, None, f"module downloaded from {address} {compared}", "T3")
        for gate in verdict.gateways
        if HOSTS[gate.gateway].pulls_images
    }
    gateways = tuple(refused.get(gate.gateway, gate) for gate in verdict.gateways)
    url = f"oci://{replace(reference, digest=found)}"
    level = WARNING if any(gate.loads for gate in gateways) else ERROR
    finding = find("T3", f"the address names an index; its linux/amd64 image is {found}", f"name {url}", level=level)
    return add_findings(replace(verdict, gateways=gateways, url=url), [finding])


def _hex(digest: str) -> str:
    return digest.partition(":")[2]


def judge_tags(version_digest: str, latest_digest: str, latest_should_match: bool) -> tuple[Finding, ...]:
    """Return whether `latest` names the digest of the version's tag, where it should (rule T2)."""
    if not latest_should_match or version_digest == latest_digest:
        return ()
    said = f"latest is {latest_digest}" if latest_digest else "there is no latest"
    return (find("T2", f"{said}, the version's tag is {version_digest}"),)
