"""Start the run that a delivery asks for at the Prefect server, and tell whoever listens."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID, uuid4, uuid5

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events import Event, RelatedResource, Resource
from prefect.events.clients import get_events_client
from prefect.events.filters import EventFilter, EventIDFilter
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from pluginyard.webhooks import Delivery, choose_next_key

EVENT_SECONDS = 5
_ASKED_BY = "pluginyard.asked-by"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartedRun:
    """Name the run that stands for a delivery; `is_new` if this very delivery started it."""

    id: UUID
    is_new: bool


@dataclass(frozen=True)
class Runs:
    """Start runs of one deployment at the server that PREFECT_API_URL names."""

    deployment: str
    seconds: float

    async def start(self, delivery: Delivery) -> StartedRun:
        """Return the run that stands for the delivery, stored by the server within the time limit.

        Raises what Prefect's client raises, or TimeoutError. A key gives the same run again, so the
        caller may repeat this after any of them.
        """
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}):  # by default it would try for a minute
            return await self._start(delivery)

    async def _start(self, delivery: Delivery) -> StartedRun:
        asked_by = str(uuid4())
        async with asyncio.timeout(self.seconds), get_client() as client:
            deployment = (await client.read_deployment_by_name(self.deployment)).id
            key = delivery.idempotency_key
            while key:
                run = await _create(client, deployment, delivery, key, asked_by)
                recorded = str(run.labels.get("github.commit", ""))
                key = choose_next_key(delivery, key, run=str(run.id), recorded=recorded, failed=_has_failed(run))
            return StartedRun(run.id, run.labels.get(_ASKED_BY) == asked_by)

    async def tell(self, delivery: Delivery, run: StartedRun) -> None:
        """Emit the event of the delivery, unless the server has it: a replay under another id is no second event.

        Best effort: events are at most once, and what must not be lost is the run.
        """
        event = _event_of(delivery, run)
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                if not run.is_new and await _was_told(event):
                    return
                async with get_events_client(reconnection_attempts=0) as events:
                    await events.emit(event)
        except Exception as error:
            _log.warning("delivery %s: no event: %s", delivery.id, type(error).__name__)


def _event_of(delivery: Delivery, run: StartedRun) -> Event:
    """Return the event, whose id says run and signed content; GitHub's id of the delivery is a label."""
    return Event(
        event=delivery.event_name,
        id=uuid5(run.id, delivery.content),
        resource=Resource.model_validate(
            {"prefect.resource.id": f"github.repository.{delivery.repository}", **delivery.labels}
        ),
        related=[
            RelatedResource.model_validate(
                {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.role": "flow-run"}
            )
        ],
        payload={**delivery.parameters, "tag": delivery.tag, "commit": delivery.commit, "flow_run": str(run.id)},
    )


async def _was_told(event: Event) -> bool:
    async with get_client() as client:
        found = await client.read_events(EventFilter(id=EventIDFilter(id=[event.id])), limit=1)
    return bool(found.events)


async def _create(client: PrefectClient, deployment: UUID, delivery: Delivery, key: str, asked_by: str) -> FlowRun:
    return await client.create_flow_run_from_deployment(
        deployment,
        parameters=delivery.parameters,
        idempotency_key=key,
        tags=["github", delivery.repository],
        labels={**delivery.labels, _ASKED_BY: asked_by},
    )


def _has_failed(run: FlowRun) -> bool:
    return run.state is not None and (run.state.is_failed() or run.state.is_crashed() or run.state.is_cancelled())
