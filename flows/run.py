"""What every flow does first."""

from __future__ import annotations

from prefect.runtime import flow_run

from flows.machine import Machine, find_machine
from pluginyard.errors import RepeatedCrashError
from tasks.server import find_site_variable

MOST_RUNS = 3


def begin() -> Machine:
    """Refuse a run that crashed too often, then read the settings of this machine and of the server.

    Call it outside an event loop.
    """
    refuse_after_crashes(flow_run.run_count or 0)
    return find_machine(variable=find_site_variable())


def refuse_after_crashes(run_count: int) -> None:
    """Raise RepeatedCrashError where this is the fourth time that the run begins.

    Crashed runs are scheduled again by an automation that knows no limit, so a build that takes its worker down
    (out of memory, say) would do so for ever.
    """
    if run_count > MOST_RUNS:
        raise RepeatedCrashError(
            f"begun {MOST_RUNS} times already, and never came to an end",
            subject=f"flow run {flow_run.name or ''}".strip(),
            remedy="look at the workers' logs (memory, disk, restarts), mend that, then start a new run",
        )
