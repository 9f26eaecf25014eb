"""The flow `verify-published`: is everything that was published still there, the same, and loadable?

The Prefect server keeps what the last run saw; without that record a run takes what it sees as right.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.run import begin
from pluginyard.audits import judge_drift
from pluginyard.forms import VerifyRequest
from tasks.doors.workspaces import open_workspace
from tasks.registries import Registries, observe_published
from tasks.server import post_drift, read_records
from tasks.sources import list_published


@flow(name="verify-published", flow_run_name="verify {request.title}", validate_parameters=True)
def verify_published(request: VerifyRequest) -> dict[str, Any]:
    """Look at every published version again and fail where one is gone, moved, damaged or refused by a gateway.

    Args:
        request: Which plugins, in which registries, how closely
    """
    machine = begin()
    request = request.at(request.repository or machine.site.repository)
    named = list_published(request, machine.cache, site=machine.site, builders=machine.builders)
    before = read_records(request, named.destinations)
    scope = named.with_recorded(request.plugins, before.values())
    registries = Registries(machine.site, plain_http=request.plain_http)
    with open_workspace(machine.cache) as workspace:
        seen = observe_published(request, scope, before, workspace.folder, registries)
    drift = judge_drift(scope, seen, before, request.accept)
    post_drift(request, drift, before)
    drift.raise_for_drift(request.title)
    return {
        "summary": drift.summary,
        "findings": [finding.to_json() for finding in drift.findings],
        "new": list(drift.new),
    }
