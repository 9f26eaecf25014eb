"""Schedule the runs again that were under way on this machine: `make down` does so, once its workers have ended.

Without that they are missed 90 seconds after the next start, if the automations are registered.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State, WorkerStatus
from prefect.states import AwaitingRetry, Cancelled

from deployments.register import POOL
from pluginyard.releases import UNDER_WAY, judge_interrupted


def schedule_interrupted(ended: Sequence[str]) -> list[str]:
    """Schedule each interrupted run again, and end those that were being cancelled; return their names.

    `ended` names the workers that are gone.
    """
    asked = FlowRunFilter.model_validate({"tags": {"all_": ["pluginyard"]}, "state": {"type": {"any_": UNDER_WAY}}})
    with get_client(sync_client=True) as client:
        workers = client.read_workers_for_work_pool(POOL)
        online = [worker.name for worker in workers if worker.status == WorkerStatus.ONLINE]
        runs = {run.id: run for run in client.read_flow_runs(flow_run_filter=asked)}
        states = {id: run.state_type.value for id, run in runs.items() if run.state_type}
        judged = judge_interrupted(states, online=online, ended=ended)
        for id, after in judged.items():
            again: State[Any] = AwaitingRetry(message="Its worker was ended; begins again.")
            client.set_flow_run_state(id, Cancelled() if after == "CANCELLED" else again, force=True)
    return [runs[id].name for id in judged]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        "python -m deployments.local.interrupted", description="Schedule interrupted runs again"
    )
    parser.add_argument("ended", nargs="+", metavar="WORKER", help="names of the workers that are gone")
    print("\n".join(schedule_interrupted(parser.parse_args().ended)))
