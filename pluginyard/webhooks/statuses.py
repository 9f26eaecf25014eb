"""Whose commits get a status: repositories of the forge that a token is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pluginyard.settings import ADDRESS, FULL_NAME

TOKEN, API = "PLUGINYARD_GITHUB_TOKEN", "PLUGINYARD_GITHUB_API"
_GITHUB, _GITHUB_API = "https://github.com", "https://api.github.com"
_ADDRESS = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^/@]*@)?(?P<host>[^/:]+)(?::\d+)?/|[^/@\s]+@(?P<short>[^/:]+):)(?P<path>.+)"
)


@dataclass(frozen=True)
class Forge:
    """Say where statuses are posted, and for repositories of which host; the token is in no text of it."""

    api: str
    host: str
    token: str = field(repr=False)

    def name_of(self, repository: str) -> str:
        """Return the `owner/name` of a repository's URL, empty where it is not of this forge."""
        found = _ADDRESS.fullmatch(repository)
        if not found or (found["host"] or found["short"]).lower() != self.host:
            return ""
        name = found["path"].strip("/").removesuffix(".git")
        return name if FULL_NAME.fullmatch(name) else ""


def find_forge(environment: Mapping[str, str]) -> Forge | None:
    """Return the forge that `environment` has a token for; None where it has none.

    PLUGINYARD_GITHUB_URL is the forge's own address, PLUGINYARD_GITHUB_API that of its API: on GitHub
    Enterprise `/api/v3` below the first.
    """
    token = environment.get(TOKEN, "").strip()
    if not token:
        return None
    address = (environment.get(ADDRESS, "") or _GITHUB).rstrip("/")
    own_api = f"{address}/api/v3" if address != _GITHUB else _GITHUB_API
    return Forge(environment.get(API, "") or own_api, (urlsplit(address).hostname or "").lower(), token)
