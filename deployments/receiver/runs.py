"""The run that a delivery asks for, started at the Prefect server that PREFECT_API_URL names, and its event."""

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

from pluginyard.releases import ASKED_BY_LABEL, COMMIT_LABEL, UNSUCCESSFUL
from pluginyard.webhooks import Delivery, choose_next_key

EVENT_SECONDS = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartedRun:
    """Name the run that stands for a delivery; `is_new` if this very delivery started it."""

    id: UUID
    is_new: bool


async def start_run(deployment: str, delivery: Delivery, seconds: float) -> StartedRun:
    """Return the run of `deployment` that stands for the delivery, stored by the server within `seconds`.

    Raises what Prefect's client raises, or TimeoutError. A key gives the same run again, so the
    caller may repeat this after any of them.
    """
    asked_by = str(uuid4())
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}):  # by default it would try for a minute
        async with asyncio.timeout(seconds), get_client() as client:
            found = (await client.read_deployment_by_name(deployment)).id
            key = delivery.idempotency_key
            while key:
                run = await _create(client, found, delivery, key, asked_by)
                recorded = str(run.labels.get(COMMIT_LABEL, ""))
                failed = run.state is not None and run.state.type.value in UNSUCCESSFUL
                key = choose_next_key(delivery, key, run=str(run.id), recorded=recorded, failed=failed)
            return StartedRun(run.id, run.labels.get(ASKED_BY_LABEL) == asked_by)


async def emit_event(delivery: Delivery, run: StartedRun) -> None:
    """Emit the event of the delivery, unless the server has it: a replay under another id is no second event.

    Best effort: events are at most once, and what must not be lost is the run.
    """
    event = _event_of(delivery, run)
    try:
        async with asyncio.timeout(EVENT_SECONDS):
            if not run.is_new and await _is_stored(event):
                return
            async with get_events_client(reconnection_attempts=0) as events:
                await events.emit(event)
    except Exception as error:
        _log.warning("delivery %s: no event: %s", delivery.id, type(error).__name__)


def _event_of(delivery: Delivery, run: StartedRun) -> Event:
    """Return the event, whose id is made of run and signed content; the forge's id of the delivery is a label."""
    release = delivery.release
    return Event(
        event=delivery.event_name,
        id=uuid5(run.id, delivery.content),
        resource=Resource.model_validate(
            {"prefect.resource.id": f"{delivery.forge.name}.repository.{delivery.repository}", **delivery.labels}
        ),
        related=[
            RelatedResource.model_validate(
                {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.role": "flow-run"}
            )
        ],
        payload={**delivery.parameters, "tag": release.tag, "commit": release.commit, "flow_run": str(run.id)},
    )


async def _is_stored(event: Event) -> bool:
    async with get_client() as client:
        found = await client.read_events(EventFilter(id=EventIDFilter(id=[event.id])), limit=1)
    return bool(found.events)


async def _create(client: PrefectClient, deployment: UUID, delivery: Delivery, key: str, asked_by: str) -> FlowRun:
    return await client.create_flow_run_from_deployment(
        deployment,
        parameters=delivery.parameters,
        idempotency_key=key,
        tags=[delivery.forge.name, delivery.repository],
        labels={**delivery.labels, ASKED_BY_LABEL: asked_by},
    )
