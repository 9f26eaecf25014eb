"""The site's settings in the Prefect server: its variable, and the limits that they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.variables import Variable

from pluginyard.errors import ConfigurationError
from pluginyard.settings import SITE_VARIABLE, check_site_variable, load_site
from tasks.server import LIMIT_PREFIX


def store_site(path: Path, *, keep: bool = False) -> str:
    """Store the settings of the file at `path` as the site's variable, in place of its own; with `keep` if it has none.

    Raises ConfigurationError for a bad file.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"cannot be read: {error}", subject=str(path), remedy="fix the file") from None
    settings = check_site_variable(document, str(path))
    if keep and Variable.get(SITE_VARIABLE) is not None:
        return f"variable {SITE_VARIABLE}: stays as it is"
    Variable.set(SITE_VARIABLE, dict(settings), overwrite=True)
    return f"variable {SITE_VARIABLE}: {', '.join(sorted(settings)) or 'nothing'}"


def register_limits(client: SyncPrefectClient, environment: Mapping[str, str]) -> str:
    """Create or update the limits of the site's settings; return a line."""
    found = client.read_variable_by_name(SITE_VARIABLE)
    site = load_site(environment, check_site_variable(found.value) if found else {})
    for name, count in site.limits.items():
        client.upsert_global_concurrency_limit_by_name(f"{LIMIT_PREFIX}{name}", count)
    return "limits: " + (", ".join(f"{name}={count}" for name, count in sorted(site.limits.items())) or "none")
