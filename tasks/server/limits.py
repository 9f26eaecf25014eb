"""How many builds or pushes there are at once over all workers: Prefect's global concurrency limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency

from pluginyard.settings import Site
from tasks.steps import log

LIMIT_PREFIX = "pluginyard-"
# As long as Prefect's own client asks again with PREFECT_CLIENT_MAX_RETRIES=8, as shipped.
PATIENCE_SECONDS = 510
PAUSE_SECONDS = 5.0


@contextmanager
def at_most(site: Site, *names: str) -> Iterator[None]:
    """Hold a place in each limit of `names` that the site sets; asks nobody where it sets none.

    The place is given back if this process dies, within the five minutes of its lease. A limit that the server
    does not know yet (`python -m deployments.register`) does not hold anybody back. A server that is away is
    waited for, and fails no step that is done.
    """
    held = sorted({f"{LIMIT_PREFIX}{name}" for name in names if name in site.limits})
    if not held:
        yield
        return
    with ExitStack() as places:
        _take(places, held)
        try:
            yield
        finally:
            _give_back(places)


def _take(places: ExitStack, held: list[str]) -> None:
    """Take the places, and ask again while nobody answers: Prefect's client does so only once it was connected."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            places.enter_context(concurrency(held))
            return
        except ConcurrencySlotAcquisitionError as error:
            if not isinstance(error.__cause__, httpx.TransportError) or time.monotonic() > deadline:
                raise
            log(f"the Prefect server is away, {', '.join(held)} cannot be asked for: waiting")
        time.sleep(PAUSE_SECONDS)


def _give_back(places: ExitStack) -> None:
    try:
        places.close()
    except httpx.HTTPError as error:
        log(f"places in limits are not given back ({error}): they are free when their lease is over, in five minutes")
