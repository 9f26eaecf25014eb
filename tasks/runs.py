"""Start other runs at the Prefect server, each once: start-release."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from pluginyard.errors import ConfigurationError
from pluginyard.publish_requests import PublishRequest
from pluginyard.tag_watch import WatchedTag, choose_here, judge_run
from tasks.policies import log, step

_ASKED_BY = "pluginyard.asked-by"


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
    no second one; a run that failed is therefore not started again either.
    """
    other = next((run for run in _runs_of(tag.other_keys) if _is_of(run, tag)), None)
    asked_by = str(uuid4())
    run = other or _create(tag, request, deployment, asked_by)
    started = judge_run(tag, _state_of(run), str(run.id), is_new=run.labels.get(_ASKED_BY) == asked_by)
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


def _create(tag: WatchedTag, request: PublishRequest, deployment: UUID, asked_by: str) -> FlowRun:
    try:
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(
                deployment,
                parameters={"request": request.model_dump(mode="json", exclude_defaults=True)},
                idempotency_key=tag.key,
                tags=["watch-tags"],
                labels={_ASKED_BY: asked_by},
            )
    except PrefectHTTPStatusError as error:
        raise ConfigurationError(
            f"the Prefect server starts no run: {error.response.text[:300]}",
            subject=tag.name,
            remedy="check the deployment and its parameters",
        ) from error


def _runs_of(keys: Sequence[str]) -> list[FlowRun]:
    if not keys:
        return []
    with get_client(sync_client=True) as client:
        chosen = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=list(keys)))
        return client.read_flow_runs(flow_run_filter=chosen, sort=FlowRunSort.EXPECTED_START_TIME_DESC)


def _is_of(run: FlowRun, tag: WatchedTag) -> bool:
    """Tell whether the receiver's run is of this commit, as far as it knew one, and stands for its release.

    One that completed without publishing where we look had other registries.
    """
    return run.labels.get("github.commit", tag.commit) == tag.commit and _state_of(run) != "COMPLETED"


def _state_of(run: FlowRun) -> str:
    return run.state.type.value if run.state else "SCHEDULED"
