"""How far a run is, as its page shows it: from the thread of a flow, and from many."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.context import TaskRunContext
from prefect.runtime import flow_run

from tasks.server import RunPage
from tasks.server import run_page as reports
from tasks.steps import step

THREADS = 4


@flow
def alone(steps: int) -> str:
    with RunPage(steps, "alone") as done:
        assert [done(number) for number in range(steps)] == list(range(steps))
    return str(flow_run.id)


@flow
async def side_by_side(steps: int) -> str:
    with RunPage(steps * THREADS, "side by side") as done:

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


def test_a_run_gets_its_tags_beside_those_it_has_and_its_tasks_do_not() -> None:
    @flow
    def tagged() -> str:
        with RunPage(1, "tagged") as page:
            page.tag("go", "plugin:request-block")
            page(seen())
        return str(flow_run.id)

    @step("seen", "once", seconds=5)
    def seen() -> None:
        own = TaskRunContext.get()
        assert own
        assert not {"go", "plugin:request-block"} & set(own.task_run.tags)

    with tags("by-hand"):
        run = tagged()
    with get_client(sync_client=True) as client:
        assert set(client.read_flow_run(UUID(run)).tags) == {"by-hand", "go", "plugin:request-block"}


def test_a_server_that_cannot_be_told_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(reports, "create_progress_artifact", refuse)
    assert alone(2)


def test_steps_are_told_at_most_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(reports, "update_progress_artifact", lambda _, reached, **__: told.append(reached))

    @flow
    def counted() -> None:
        with RunPage(100, "counted") as done, ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(done, range(100)))

    counted()
    assert told[-1] == 100.0
    assert len(told) <= 3, "more only where this machine stood still for a second"
