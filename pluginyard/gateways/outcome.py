"""What became of a module in a real Envoy: refused, dead whatever it answered, or alive and answering as expected."""

from __future__ import annotations

import re
from typing import Any

from pluginyard.errors import GatewayError
from pluginyard.gateways.bootstrap import _LOG_LINE, _MODULE_WORDS, _join_fragments
from pluginyard.gateways.probe import Exchange, Probe, ProbeResult, judge_answers

# Sent where no probe is configured: a module may load, and die with the first request. Any answer will do.
PLAIN_REQUEST = Exchange()
# `Function: proxy_on_context_create failed: Uncaught RuntimeError: unreachable`, `Wasm VM failed …`
_CRASH = re.compile(r"Function: \S+ failed: |Wasm VM failed ")
_AT_CREATION = "Function: proxy_on_context_create failed"


def choose_probe(probe: Probe) -> Probe:
    """Return what is sent: the probe's exchanges, else one plain request."""
    return probe if probe.exchanges else probe.model_copy(update={"exchanges": (PLAIN_REQUEST,)})


def find_crashes(log: str) -> tuple[str, ...]:
    """Return what failed in the module, in Envoy's own words, each once; then what the module itself wrote of it."""
    lines = [match for match in map(_LOG_LINE.match, log.splitlines()) if match]
    loud = [each["words"] for each in lines if each["level"] in ("warning", "error", "critical")]
    crashes = dict.fromkeys(words.strip() for words in loud if _CRASH.match(words))
    said = _join_fragments(each["words"] for each in map(_MODULE_WORDS.match, loud) if each)
    return (*crashes, *([f"the module said: {said}"] if crashes and said else []))


def require_alive(probe: Probe, result: ProbeResult, *, subject: str) -> None:
    """Raise GatewayError where the module was refused or died, or where an answer is not what `probe` expects."""
    remedy = "fix the plugin, or the probe in pluginyard.yaml"
    if not result.loaded:
        raise GatewayError(f"Envoy refuses it: {result.reason}", subject=subject, remedy=remedy)
    if result.crashes:
        remedy = "fix the plugin: the run's log has the backtrace"
        if any(each.startswith(_AT_CREATION) for each in result.crashes):
            remedy = f"register the plugin in init(), for a gateway does not run main(); else {remedy}"
        raise GatewayError(f"it dies in the gateway: {'; '.join(result.crashes)}", subject=subject, remedy=remedy)
    if faults := judge_answers(probe, result.answers):
        raise GatewayError("; ".join(faults), subject=subject, remedy=remedy)


def summarize_outcome(probe: Probe, result: ProbeResult) -> dict[str, Any]:
    """Return what a report says of a module that is alive."""
    answered = [
        {"request": str(exchange), "answer": str(answer.status), "fault": ""}
        for exchange, answer in zip(probe.exchanges, result.answers, strict=False)
    ]
    plain = next(iter(result.answers))
    said = (
        f"and gives {len(answered)} answers as expected"
        if answered
        else f"and it lives on (no probe is configured; {PLAIN_REQUEST}: {plain.failure or plain.status})"
    )
    return {
        "summary": f"Envoy {result.version} loads it {said}, ready in {result.ready_seconds:.1f} s",
        "exchanges": answered,
    }
