"""The status of a commit: at which forge it is set, and what is sent there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pluginyard.errors import StatusError
from pluginyard.printable import printable
from pluginyard.settings import FULL_NAME
from pluginyard.webhooks.dialect import CommitState, Forge
from pluginyard.webhooks.events import COMMIT
from pluginyard.webhooks.forges import FORGES

_LONGEST_DESCRIPTION = 140  # GitHub refuses longer ones
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ADDRESS = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^/@]*@)?(?P<host>[^/:]+)(?::\d+)?/|[^/@\s]+@(?P<short>[^/:]+):)(?P<path>.+)"
)


@dataclass(frozen=True)
class StatusApi:
    """Say where statuses are posted, and for repositories of which host; the token is in no text of it."""

    forge: Forge
    url: str
    host: str
    token: str = field(repr=False)

    def name_of(self, repository: str) -> str:
        """Return the `owner/name` of a repository's URL, empty where it is not of this forge."""
        found = _ADDRESS.fullmatch(repository)
        if not found or (found["host"] or found["short"]).lower() != self.host:
            return ""
        name = found["path"].strip("/").removesuffix(".git")
        return name if FULL_NAME.fullmatch(name) else ""


@dataclass(frozen=True)
class StatusRequest:
    """Hold one call of a forge's API: everything but the token."""

    subject: str
    url: str
    headers: Mapping[str, str]
    document: Mapping[str, str]


def find_status_apis(environment: Mapping[str, str]) -> tuple[StatusApi, ...]:
    """Return the APIs that `environment` has a token for.

    PLUGINYARD_GITHUB_URL is the forge's own address, PLUGINYARD_GITHUB_API that of its API where it is not in its
    usual place below the first.
    """
    return tuple(api for forge in FORGES if (api := _find_api(forge, environment)).token)


def _find_api(forge: Forge, environment: Mapping[str, str]) -> StatusApi:
    address = (environment.get(forge.variable("URL"), "") or forge.address).rstrip("/")
    url = environment.get(forge.variable("API"), "") or forge.choose_api(address)
    token = environment.get(forge.variable("TOKEN"), "").strip()
    return StatusApi(forge, url, (urlsplit(address).hostname or "").lower(), token)


def plan_status(
    api: StatusApi,
    repository: str,
    commit: str,
    state: CommitState,
    description: str,
    *,
    target_url: str = "",
    context: str = "pluginyard",
) -> StatusRequest:
    """Return the call that sets the status `context` of `commit` in `owner/name`; the last one of a context counts.

    Raises StatusError for what is no commit of a repository, and for an address that would send the token in the clear
    to another machine.
    """
    subject = f"{repository}@{commit[:12]}"
    if not FULL_NAME.fullmatch(repository) or not COMMIT.fullmatch(commit):
        raise StatusError("not owner/name and a full commit id", subject=subject, remedy="a status is set on a commit")
    parts = urlsplit(api.url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        remedy = f"as {api.forge.choose_api(api.forge.address)}"
        raise StatusError("a token is sent by HTTPS only", subject="the API's address", remedy=remedy)
    path, document = api.forge.render_status(repository, commit, state, _shorten(printable(description)), context)
    if target_url:
        document["target_url"] = target_url
    return StatusRequest(subject, f"{api.url.rstrip('/')}{path}", api.forge.status_headers, document)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_DESCRIPTION else f"{line[: _LONGEST_DESCRIPTION - 1]}…"
