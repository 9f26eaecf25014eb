"""How far a run is, as its page shows it: from the thread of a flow, and from many."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.runtime import flow_run

from tasks import reports
from tasks.reports import Progress

THREADS = 4


@flow
def alone(steps: int) -> str:
    done = Progress(steps, "alone")
    assert [done(number) for number in range(steps)] == list(range(steps))
    return str(flow_run.id)


@flow
async def side_by_side(steps: int) -> str:
    done = await asyncio.to_thread(Progress, steps * THREADS, "side by side")

    def work() -> None:
        for _ in range(steps):
            done(None)

    await asyncio.gather(*(asyncio.to_thread(work) for _ in range(THREADS)))
    return str(flow_run.id)


def shown(run_id: str) -> Any:
    with get_client(sync_client=True) as client:
        kept = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        (artifact,) = client.read_artifacts(artifact_filter=kept)
    return artifact.data


def test_a_run_ends_at_a_hundred_however_fast_its_steps_are() -> None:
    assert shown(alone(9)) == 100.0


def test_a_run_with_work_in_threads_ends_at_a_hundred() -> None:
    assert shown(asyncio.run(side_by_side(50))) == 100.0


def test_steps_are_told_at_most_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(reports, "update_progress_artifact", lambda _, reached, **__: told.append(reached))

    @flow
    def counted() -> None:
        done = Progress(100, "counted")
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(done, range(100)))

    counted()
    assert told[-1] == 100.0
    assert len(told) <= 3, "more only where this machine stood still for a second"
