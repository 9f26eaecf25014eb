"""The registries of one run: what each is told is looked up once, and connections are kept between the steps."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pluginyard.oci import Destination
from pluginyard.settings import Site
from tasks.doors import registries
from tasks.doors.registries import Access, ArtifactRepository, Connection, Credentials, access_to, new_session
from tasks.server import find_credentials

# A connection that was idle for longer may be dead without a sign of it: firewalls forget.
IDLE_SECONDS = 60
_KEPT = 64


@dataclass
class _Host:
    """Hold what is open at one registry; `used` is the moment it was last asked for."""

    access: Access
    credentials: Credentials | None
    connection: Connection
    repositories: OrderedDict[str, ArtifactRepository] = field(default_factory=OrderedDict)
    used: float = 0.0


class Registries:
    """Open repositories with a site's settings and credentials; threads may share it.

    A run shakes hands, is challenged and fetches a token once for a repository, not once a step. `clock` returns
    seconds.
    """

    def __init__(self, site: Site, *, plain_http: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._site, self._plain_http, self._clock = site, plain_http, clock
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def open(self, place: Destination, name: str) -> ArtifactRepository:
        """Open the repository of plugin `name` in `place`; raises ConfigurationError for unusable credentials."""
        if place.is_layout:
            return registries.open_repository(place, name, Access(), None)
        with self._lock:
            host = self._host(place.host)
            key = f"{place}/{name}"
            if key not in host.repositories:
                host.repositories[key] = registries.open_repository(
                    place, name, host.access, host.credentials, host.connection
                )
            host.repositories.move_to_end(key)
            if len(host.repositories) > _KEPT:  # of thousands that are only looked at, few are come back to
                host.repositories.popitem(last=False)
            return host.repositories[key]

    def lacks_tls(self, place: Destination) -> bool:
        """Tell whether the registry is spoken to in plain HTTP."""
        with self._lock:
            return not place.is_layout and self._host(place.host).access.plain_http

    def _host(self, name: str) -> _Host:
        now, known = self._clock(), self._hosts.get(name)
        if known is None:
            access = access_to(name, self._site, plain_http=self._plain_http)
            connection = Connection(new_session(access.ca_bundle))
            known = self._hosts[name] = _Host(access, find_credentials(name, self._site), connection)
        elif now - known.used > IDLE_SECONDS:
            anew = known.connection.anew(known.access.ca_bundle)
            known = self._hosts[name] = _Host(known.access, known.credentials, anew)
        known.used = now
        return known
