"""Make the deployments of prefect.yaml, where they or their code changed: `python -m deployments.register --deploy`.

Prefect writes a deployment's schedules anew each time it is deployed, so what was switched in the UI stays only where
nothing is.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.variables import Variable

from deployments.register.work_pools import POOL
from pluginyard.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
INDEX_FILE = PROJECT / "prefect.yaml"
# The server says what is deployed on it: a variable, with the digest of the files below.
DEPLOYED = "pluginyard_deployed"
_FORMS = ("flows/*.py", "pluginyard/**/*.py")


def deploy(client: SyncPrefectClient) -> str:
    """Deploy unless the server has just this; return a line. Raises ConfigurationError if it fails."""
    wanted = {(item["entrypoint"], item["name"]) for item in yaml.safe_load(INDEX_FILE.read_text())["deployments"]}
    digest, known = _digest(), client.read_variable_by_name(DEPLOYED)
    if known and known.value == digest and wanted <= _find_deployed(client):
        return "deployments: nothing changed, so they stay as they are"
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise ConfigurationError(
            f"failed:\n{done.stdout}{done.stderr}", subject="prefect deploy --all", remedy="see the server's log"
        )
    Variable.set(DEPLOYED, digest, overwrite=True)
    return f"deployments: {len(wanted)} made, with the schedules of {INDEX_FILE.name}"


def _find_deployed(client: SyncPrefectClient) -> set[tuple[str | None, str]]:
    """Return entry points and names of the pool's deployments: those of a pool that was deleted are in none."""
    found = client.read_deployments(work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])))
    return {(deployment.entrypoint, deployment.name) for deployment in found}


def _digest() -> str:
    """Return the digest of what decides a deployment: the index, and the code that its form comes from."""
    files = [INDEX_FILE, *(file for pattern in _FORMS for file in sorted(PROJECT.glob(pattern)))]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()
