"""Which events a Prefect server that was started again waits for, and which it does not."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime

import pytest
from prefect.server.events.ordering import EventArrivedEarly
from prefect.server.events.schemas.events import ReceivedEvent

from deployments.event_order import STARTED, CausalOrdering, is_before


def uuid7(when: float) -> uuid.UUID:
    """Return what Prefect gives to a state that was set at `when`."""
    return uuid.UUID(int=int(when * 1000) << 80 | 7 << 76 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1)


def crashed(follows: uuid.UUID | None) -> ReceivedEvent:
    return ReceivedEvent.model_validate(
        {
            "occurred": datetime.now(UTC),
            "event": "prefect.flow-run.Crashed",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{uuid.uuid4()}"},
            "id": uuid.uuid4(),
            "follows": follows,
        }
    )


def wait_for(follows: uuid.UUID | None) -> None:
    async def wait() -> None:
        await CausalOrdering(f"scope-{uuid.uuid4()}").wait_for_leader(crashed(follows))

    asyncio.run(wait())


def test_what_an_earlier_server_saw_is_not_waited_for() -> None:
    wait_for(uuid7(STARTED - 0.01))
    wait_for(uuid7(STARTED - 86_400))
    wait_for(None)


@pytest.mark.parametrize("follows", [uuid7(time.time() + 1), uuid.uuid4()], ids=["made since", "no time in it"])
def test_what_may_still_come_is_waited_for(follows: uuid.UUID) -> None:
    with pytest.raises(EventArrivedEarly):
        wait_for(follows)


def test_the_time_in_an_id_is_read_to_the_millisecond() -> None:
    assert is_before(uuid7(1000.000), 1000.001)
    assert not is_before(uuid7(1000.001), 1000.001)
    assert not is_before(uuid.UUID(int=0), 1000)
