"""Gateways: host profiles, the verdict, the probe of a real one. The judge and wasm are rooms of their own."""

from __future__ import annotations

from pluginyard.gateways.bootstrap import LISTENER, reason_of_refusal, render_bootstrap
from pluginyard.gateways.judge import (
    PLUGIN,
    ResolveChild,
    UnreadableManifestError,
    add_findings,
    judge_artifact,
    judge_reference,
    judge_tags,
    open_archive,
    resolve_artifact,
)
from pluginyard.gateways.probe import Answer, Exchange, Probe, ProbeResult, judge_answers, parse_probe
from pluginyard.gateways.verdict import Verdict

__all__ = [
    "LISTENER",
    "PLUGIN",
    "Answer",
    "Exchange",
    "Probe",
    "ProbeResult",
    "ResolveChild",
    "UnreadableManifestError",
    "Verdict",
    "add_findings",
    "judge_answers",
    "judge_artifact",
    "judge_reference",
    "judge_tags",
    "open_archive",
    "parse_probe",
    "reason_of_refusal",
    "render_bootstrap",
    "resolve_artifact",
]
