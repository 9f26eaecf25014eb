"""The registries of one run: credentials are looked up once, and connections are kept between the steps."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from pluginyard.oci import Destination, Scheme
from pluginyard.settings import Site
from tasks.doors.registries import Access, ArtifactRepository, Connection, access_to, open_remote, open_repository
from tasks.server import find_credentials

# A connection that was idle for longer may be dead without a sign of it: firewalls forget.
IDLE_SECONDS = 60
_KEPT = 64


class Registries:
    """Open repositories with a site's settings and credentials; threads may share it.

    A run is challenged once a registry and fetches a token once a repository, not once a step; one that `pushes` asks
    for the right to from the start. `clock` returns seconds.
    """

    def __init__(
        self, site: Site, *, plain_http: bool, pushes: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._site, self._plain_http, self._pushes, self._clock = site, plain_http, pushes, clock
        self._connections: dict[tuple[str, Scheme], tuple[Connection, float]] = {}
        self._repositories: OrderedDict[tuple[Connection, Destination, str], ArtifactRepository] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, place: Destination, name: str) -> ArtifactRepository:
        """Open the repository of plugin `name` in `place`; raises ConfigurationError for unusable credentials."""
        if place.is_layout:
            return open_repository(place, name, Access(), None)
        with self._lock:
            key = (self._connection(place), place, name)
            if key not in self._repositories:
                self._repositories[key] = open_remote(*key)
            self._repositories.move_to_end(key)
            if len(self._repositories) > _KEPT:  # of thousands that are only looked at, few are come back to
                self._repositories.popitem(last=False)
            return self._repositories[key]

    def lacks_tls(self, place: Destination) -> bool:
        """Return whether the registry is spoken to in plain HTTP."""
        with self._lock:
            return not place.is_layout and self._connection(place).access.plain_http

    def _connection(self, place: Destination) -> Connection:
        """Return what is open at the host of `place`, opened anew after a while; `lock` is held."""
        now, host = self._clock(), place.host
        known, used = self._connections.get((host, place.scheme), (None, now))
        if known is None:
            access = access_to(host, self._site, place.scheme, plain_http=self._plain_http)
            known = Connection(host, access, find_credentials(host, self._site), self._pushes)
        elif now - used > IDLE_SECONDS:
            known = known.anew()
        self._connections[host, place.scheme] = (known, now)
        return known
