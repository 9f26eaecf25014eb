"""The deployments of prefect.yaml, made where they or their code changed.

Prefect writes a deployment's schedules anew each time it is deployed, so what was switched in the UI stays only where
nothing is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.variables import Variable

from deployments.register.digest import INDEX, digest_deployed
from deployments.register.pool_templates import POOL
from pluginyard.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
# The server says what is deployed on it: a variable, with the digest of the files.
DEPLOYED = "pluginyard_deployed"


def deploy(client: SyncPrefectClient) -> str:
    """Deploy unless the server has just this; return a line. Raises ConfigurationError if it fails."""
    documents = yaml.safe_load((PROJECT / INDEX).read_text())["deployments"]
    wanted = {(item["entrypoint"], item["name"]) for item in documents}
    digest, known = digest_deployed(PROJECT), client.read_variable_by_name(DEPLOYED)
    if known and known.value == digest and wanted <= _find_deployed(client):
        return "deployments: nothing changed, so they stay as they are"
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    # S603: our own command, as a list, without a shell.
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(
            f"failed:\n{done.stdout}{done.stderr}", subject="prefect deploy --all", remedy="see the server's log"
        )
    Variable.set(DEPLOYED, digest, overwrite=True)
    return f"deployments: {len(wanted)} made, with the schedules of {INDEX}"


def _find_deployed(client: SyncPrefectClient) -> set[tuple[str | None, str]]:
    """Return entry points and names of the pool's deployments: those of a pool that was deleted are in none."""
    found = client.read_deployments(work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])))
    return {(deployment.entrypoint, deployment.name) for deployment in found}
