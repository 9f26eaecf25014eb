"""`pluginyard inspect`: what an artifact holds, and what gateways say of it."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.commands import add_reference_arguments, report_progress
from flows.machine import find_machine
from pluginyard.gateways import Verdict
from pluginyard.gateways.judge import add_findings, judge_naming
from pluginyard.oci import annotations_of, parse_reference
from pluginyard.reports import render_verdict_text
from pluginyard.versions import find_semver
from tasks.doors import registries

PLACE = 4
HELP = "show what an artifact holds and what gateways say of it"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_reference_arguments(parser)


def run(arguments: Namespace) -> dict[str, Any]:
    """Pull the artifact and return what it holds and what every gateway would say of it."""
    return inspect_artifact(arguments.reference, plain_http=arguments.plain_http)[0]


def inspect_artifact(text: str, *, plain_http: bool) -> tuple[dict[str, Any], Verdict]:
    """Pull the artifact that the reference `text` names; return what it holds, and the verdict."""
    reference = parse_reference(text)
    place = reference.destination
    report_progress(f"asking {place}")
    repository = registries.open_place(place, find_machine().site, plain_http=plain_http)
    with tempfile.TemporaryDirectory(prefix="pluginyard-") as folder:
        # Only a version's own tag can disagree with what spec.yaml declares: not `latest`, not a layout's NAME-VERSION.
        version = reference.tag if find_semver(reference.tag) else ""
        report_progress(f"pulling {reference} and judging it")
        pulled = registries.pull_artifact(repository, reference.by_digest_or_tag, Path(folder), version=version)
    found = registries.judge_names(repository, reference, pulled.manifest.digest)
    verdict = judge_naming(add_findings(pulled.verdict, found), reference)
    return {
        "reference": str(reference),
        "digest": pulled.manifest.digest,
        "media_type": pulled.manifest.media_type,
        "annotations": annotations_of(pulled.manifest),
        "layers": [{"title": layer.title, **layer.to_json()} for layer in pulled.layers],
        "verdict": verdict.to_json(),
    }, verdict


def render(result: Mapping[str, Any]) -> str:
    """Return what the artifact holds for a terminal."""
    layers = [f"  {layer['title'] or '-':<16} {layer['size']:>10,}  {layer['mediaType']}" for layer in result["layers"]]
    notes = [f"  {key}={value}" for key, value in sorted(result["annotations"].items())]
    lines = [
        f"reference  {result['reference']}",
        f"digest     {result['digest']}",
        "layers",
        *layers,
        "annotations",
        *(notes or ["  none"]),
        render_verdict_text(result["verdict"]),
        *_address(result["verdict"]),
    ]
    return "\n".join(lines)


def _address(verdict: Mapping[str, Any]) -> list[str]:
    """Return what a WasmPlugin must say to load the artifact, where any gateway would."""
    if not verdict["url"] or verdict["portability"] == "unloadable":
        return []
    return [f"load it as {verdict['url']}", f"  sha256: {verdict['sha256']}"]
