"""Schedule the runs again that were under way on this machine: `make down` does so, once its workers have ended.

Without that they are missed 90 seconds after the next start, if anybody listens by then.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State, StateType, WorkerStatus
from prefect.states import AwaitingRetry, Cancelled

from deployments.register.work_pools import POOL

_UNDER_WAY = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def schedule_interrupted(ended: Sequence[str]) -> list[str]:
    """Schedule each interrupted run again, and end those that were being cancelled; return their names.

    `ended` names the workers that are gone. Where others are there the run may be theirs: heartbeats tell.
    """
    asked = FlowRunFilter.model_validate({"tags": {"all_": ["pluginyard"]}, "state": {"type": {"any_": _UNDER_WAY}}})
    with get_client(sync_client=True) as client:
        if _other_workers(client, ended):
            return []
        runs = client.read_flow_runs(flow_run_filter=asked)
        for run in runs:
            was_cancelled = run.state_type == StateType.CANCELLING
            again: State[None] = AwaitingRetry(message="Its worker was ended; begins again.")
            state: State[None] = Cancelled() if was_cancelled else again
            client.set_flow_run_state(run.id, state, force=True)
    return [run.name for run in runs]


def _other_workers(client: SyncPrefectClient, ended: Sequence[str]) -> bool:
    found = client.read_workers_for_work_pool(POOL)
    return any(worker.status == WorkerStatus.ONLINE and worker.name not in ended for worker in found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        "python -m deployments.local.interrupted", description="Schedule interrupted runs again"
    )
    parser.add_argument("ended", nargs="+", metavar="WORKER", help="names of the workers that are gone")
    print("\n".join(schedule_interrupted(parser.parse_args().ended)))
