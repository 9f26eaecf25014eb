"""The registries of one run: what each is told is looked up once, and connections are kept between the steps."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from pluginyard.references import Destination
from pluginyard.site import Site
from tasks.credentials import find_credentials
from tasks.doors import registries
from tasks.doors.registries import Access, Credentials, Repository, new_session

# A connection that was idle for longer may be dead without a sign of it: firewalls forget.
IDLE_SECONDS = 60
_KEPT = 64


@dataclass
class _Host:
    """Hold what is open at one registry; `used` is the moment it was last asked for."""

    credentials: Credentials | None
    session: requests.Session = field(default_factory=new_session)
    repositories: OrderedDict[str, Repository] = field(default_factory=OrderedDict)
    used: float = 0.0


class Registries:
    """Open repositories with a site's settings and credentials; threads may share it.

    A run shakes hands, is challenged and fetches a token once for a repository, not once a step. `clock` returns
    seconds.
    """

    def __init__(self, site: Site, *, plain_http: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._site, self._clock = site, clock
        self._access = Access(plain_http=plain_http or site.plain_http, ca_bundle=site.ca_bundle)
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def open(self, place: Destination, name: str) -> Repository:
        """Open the repository of plugin `name` in `place`; raises ConfigurationError for unusable credentials."""
        if place.is_layout:
            return registries.open_repository(place, name, self._access, None)
        with self._lock:
            host = self._host(place.host)
            key = f"{place}/{name}"
            if key not in host.repositories:
                host.repositories[key] = registries.open_repository(
                    place, name, self._access, host.credentials, host.session
                )
            host.repositories.move_to_end(key)
            if len(host.repositories) > _KEPT:  # of thousands that are only looked at, few are come back to
                host.repositories.popitem(last=False)
            return host.repositories[key]

    def _host(self, name: str) -> _Host:
        now, known = self._clock(), self._hosts.get(name)
        if known is None:
            known = self._hosts[name] = _Host(find_credentials(name, self._site))
        elif now - known.used > IDLE_SECONDS:
            known = self._hosts[name] = _Host(known.credentials)
        known.used = now
        return known
