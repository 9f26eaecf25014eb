"""What every flow does first."""

from __future__ import annotations

from prefect.runtime import flow_run

from flows.machine import Machine, find_machine
from pluginyard.releases import refuse_after_crashes
from tasks.server import find_site_variable


def begin() -> Machine:
    """Refuse a run that crashed too often, then read the settings of this machine and of the server.

    Call it outside an event loop.
    """
    refuse_after_crashes(flow_run.run_count or 0, f"flow run {flow_run.name or ''}".strip())
    return find_machine(variable=find_site_variable())
