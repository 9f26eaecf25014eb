"""How many builds or pushes there are at once over all workers: Prefect's global concurrency limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency

from pluginyard.site import Site

LIMIT_PREFIX = "pluginyard-"


@contextmanager
def at_most(site: Site, *names: str) -> Iterator[None]:
    """Hold a place in each limit of `names` that the site sets; asks nobody where it sets none.

    The place is given back if this process dies, within the five minutes of its lease. A limit that the server
    does not know yet (`python -m deployments.register`) does not hold anybody back.
    """
    held = sorted({f"{LIMIT_PREFIX}{name}" for name in names if name in site.limits})
    if not held:
        yield
        return
    with concurrency(held):
        yield
