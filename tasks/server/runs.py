"""Start other runs at the Prefect server, each once: start-release."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from pluginyard.errors import ConfigurationError
from pluginyard.forms import PublishRequest
from pluginyard.releases import ASKED_BY_LABEL, COMMIT_LABEL, UNSUCCESSFUL, stands_for
from pluginyard.webhooks.watch import WatchedTag, choose_here, is_shared, judge_run
from tasks.steps import log, step


def find_deployment(name: str) -> UUID | None:
    """Return the id of the deployment `FLOW/NAME`, None where the server has none."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(name).id
        except ObjectNotFound:
            return None


@step("start-release", "{tag.name}", seconds=300)
def start_release(tag: WatchedTag, request: PublishRequest, deployment: UUID) -> WatchedTag:
    """Start the deployment for the tag, unless a run for this very commit was started before, by whomever.

    The server keeps one run for each idempotency key, so that a watch that is repeated, or that dies here, starts
    no second one; a run that failed is therefore not started again either. A webhook's run has the same keys.
    """
    asked_by = str(uuid4())
    start = partial(_create, tag, request, deployment, asked_by)
    run = _start_shared(tag, start) if is_shared(request) else _find_other(tag) or start(tag.key)
    started = judge_run(tag, _state_of(run), str(run.id), is_new=run.labels.get(ASKED_BY_LABEL) == asked_by)
    log(f"{tag.name}: {started.state}, run {run.id}")
    return started


def look_up_runs(tag: WatchedTag) -> WatchedTag:
    """Say what runs within earlier watches did for the tag; they carry its key as a Prefect tag."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag.key])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=10,
        )
    return choose_here(tag, [(_state_of(run), str(run.id)) for run in found])


def _start_shared(tag: WatchedTag, start: Callable[[str], FlowRun]) -> FlowRun:
    """Return the run of the tag's key, or the one of its commit's where the first is of another commit."""
    of_tag, of_commit = tag.shared_keys
    run = start(of_tag)
    recorded = str(run.labels.get(COMMIT_LABEL, ""))
    return run if stands_for(recorded, tag.commit, failed=_state_of(run) in UNSUCCESSFUL) else start(of_commit)


def _create(tag: WatchedTag, request: PublishRequest, deployment: UUID, asked_by: str, key: str) -> FlowRun:
    try:
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(
                deployment,
                parameters={"request": request.model_dump(mode="json", exclude_defaults=True)},
                idempotency_key=key,
                tags=["watch-tags"],
                labels={ASKED_BY_LABEL: asked_by, COMMIT_LABEL: tag.commit},
            )
    except PrefectHTTPStatusError as error:
        raise ConfigurationError(
            f"the Prefect server starts no run: {error.response.text[:300]}",
            subject=tag.name,
            remedy="check the deployment and its parameters",
        ) from error


def _find_other(tag: WatchedTag) -> FlowRun | None:
    """Find the run that a webhook or another watch started for this commit, as far as it knew one.

    One that completed without publishing where we look had other registries.
    """
    chosen = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=list(tag.shared_keys)))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=chosen, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    ours = (run for run in runs if run.labels.get(COMMIT_LABEL, tag.commit) == tag.commit)
    return next((run for run in ours if _state_of(run) != "COMPLETED"), None)


def _state_of(run: FlowRun) -> str:
    return run.state.type.value if run.state else "SCHEDULED"
