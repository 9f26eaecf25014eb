"""Find credentials: the environment first, then the container engine's own store; none is ever written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pluginyard.errors import ConfigurationError
from tasks.doors.registries.access import Credentials
from tasks.doors.registries.docker_credentials import find_docker_credentials

_USERNAME = "REGISTRY_USERNAME"
_PASSWORD = "REGISTRY_PASSWORD"  # noqa: S105 (a variable's name)


def find_machine_credentials(
    host: str, environment: Mapping[str, str], docker_config: Path | None = None
) -> Credentials | None:
    """Return the credentials for `host`, or None where there are none.

    In this order: `REGISTRY_USERNAME__HOST` and `REGISTRY_PASSWORD__HOST` (the host in upper case, everything
    but letters and digits as `_`), `REGISTRY_USERNAME` and `REGISTRY_PASSWORD`, Docker's configuration
    (`docker_config`, or the one `DOCKER_CONFIG` or `HOME` in `environment` lead to). Raises ConfigurationError
    where one half of a pair is missing or Docker's store does not answer.
    """
    suffix = "__" + re.sub(r"[^A-Z0-9]", "_", host.upper())
    for ending in (suffix, ""):
        found = _from_environment(environment, ending)
        if found:
            return found
    path = docker_config or _find_docker_config(environment)
    return find_docker_credentials(host, path, environment) if path else None


def _from_environment(environment: Mapping[str, str], ending: str) -> Credentials | None:
    names = (_USERNAME + ending, _PASSWORD + ending)
    username, password = (environment.get(name, "") for name in names)
    if bool(username) != bool(password):
        missing, given = names if password else names[::-1]
        raise ConfigurationError(f"{given} is set without {missing}", subject=missing, remedy=f"set {missing} too")
    return Credentials(username, password, "environment") if username else None


def _find_docker_config(environment: Mapping[str, str]) -> Path | None:
    if environment.get("DOCKER_CONFIG"):
        return Path(environment["DOCKER_CONFIG"]) / "config.json"
    return Path(environment["HOME"]) / ".docker" / "config.json" if environment.get("HOME") else None
