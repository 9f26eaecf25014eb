"""What differs between forges: the type of a row of `pluginyard.webhooks.forges`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pluginyard.webhooks.events import EventReader

CommitState = Literal["pending", "success", "failure", "error"]
Headers = Mapping[str, str]
"""By lower-case names; of one that was sent twice both values, with a comma."""


@dataclass(frozen=True, eq=False)
class Forge:
    """Describe the webhooks and the commit statuses of one forge."""

    name: str
    """In lower case: path of the receiver, prefix of labels and events; in upper case, of the site's variables."""
    address: str
    """Of the public service, from which repositories are cloned where the site names no other."""
    delivery_header: str
    event_header: str
    event_pattern: re.Pattern[str]
    ping: str
    """The event that only asks whether the receiver is there."""
    readers: Mapping[str, EventReader]
    """By event; every other one starts nothing."""
    event_names: Mapping[str, str]
    """Names of Prefect's events, where they say more than the forge's own."""
    find_signature: Callable[[Headers], str]
    """Return what signs the body; empty where there is nothing of its form."""
    signs: Callable[[bytes, str, str], bool]
    """Return whether the body, with a secret, has the signature; in constant time."""
    find_repository: Callable[[Mapping[str, Any]], str]
    """Return a payload's `owner/name`, `owner/*` for an owner's own event; empty where it says neither."""
    choose_api: Callable[[str], str]
    """Return the address of the API of the forge at an address."""
    status_headers: Mapping[str, str]
    render_status: Callable[[str, str, CommitState, str, str], tuple[str, dict[str, str]]]
    """Return path and document that set (repository, commit, state, description, context)."""

    def variable(self, setting: str) -> str:
        """Return the name of the environment variable that holds `setting`."""
        return f"PLUGINYARD_{self.name.upper()}_{setting}"
