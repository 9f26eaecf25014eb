"""The table of forges: a new one is a file of this room that gives a `Forge`, and a row here."""

from __future__ import annotations

from collections.abc import Mapping

from pluginyard.webhooks.dialect import Forge
from pluginyard.webhooks.github import GITHUB

FORGES = (GITHUB,)


def choose_forges(environment: Mapping[str, str]) -> tuple[Forge, ...]:
    """Return the forges whose webhooks the site has a secret for."""
    return tuple(
        forge
        for forge in FORGES
        if any(environment.get(forge.variable(setting)) for setting in ("SECRETS_FILE", "SECRET"))
    )
