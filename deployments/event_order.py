"""The order in which a Prefect server evaluates events: PREFECT_SERVER_EVENTS_CAUSAL_ORDERING names this module.

Prefect holds an event back for up to 15 minutes until it has seen the one before it, and remembers in memory only what
it has seen. So a server that is started again would crash the runs it lost and begin them again a quarter of an hour
later (measured). What was before its start does not come any more: nothing waits for that here.
"""

from __future__ import annotations

import time
from uuid import UUID

from prefect.server.events.ordering import memory
from prefect.server.events.schemas.events import ReceivedEvent

STARTED = time.time()


class CausalOrdering(memory.CausalOrdering):
    """Keep events in their order, except behind those of an earlier server."""

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Return when the event may be evaluated; raise EventArrivedEarly where it has to wait for its predecessor."""
        if event.follows and is_before(event.follows, STARTED):
            return
        await super().wait_for_leader(event)


def is_before(event: UUID, when: float) -> bool:
    """Return whether an event was made before `when` (seconds since 1970); False where its id does not say.

    The first 48 bits of a UUID of version 7 are the milliseconds of its making (RFC 9562, section 5.7).
    """
    return event.version == 7 and event.int >> 80 < when * 1000
