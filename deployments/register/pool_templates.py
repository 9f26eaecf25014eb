"""Templates of work pools: Prefect's own of a pool's type, with the defaults of work-pools/TYPE.yaml."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pluginyard.errors import ConfigurationError

FOLDER = Path(__file__).parent / "work-pools"
POOL = "pluginyard"
TYPES = ("process", "docker", "kubernetes")
# How flow runs behave that a worker starts, wherever it runs: docs/operate.md, "What a crash costs".
RUN_ENVIRONMENT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_CLIENT_MAX_RETRIES": "8"}


def load_template(kind: str, own: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the base job template of a `kind` of pool: `own` is Prefect's, whose defaults ours replace.

    Raises ConfigurationError for a default that Prefect's template does not know.
    """
    path = FOLDER / f"{kind}.yaml"
    defaults = dict(yaml.safe_load(path.read_text()) or {})
    defaults["env"] = {**environment, **defaults.get("env", {})}
    template = copy.deepcopy(dict(own))
    known = template["variables"]["properties"]
    for name, value in defaults.items():
        if name not in known:
            raise ConfigurationError(
                f"a {kind} work pool has no {name}", subject=path.name, remedy=f"one of: {', '.join(sorted(known))}"
            )
        known[name]["default"] = value
    return template
