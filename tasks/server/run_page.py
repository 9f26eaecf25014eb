"""What Prefect keeps of a run: the page while it goes on, and post-report."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext

from pluginyard.errors import InternalError
from pluginyard.forms import RepositoryRequest, WatchRequest
from pluginyard.gateways import Verdict
from pluginyard.releases import PackedArtifact, PluginBuild, Publication, PublishedPlugin, RepositoryPlan
from pluginyard.reports import render_markdown
from pluginyard.webhooks import TagWatch
from tasks.steps import log, one_client, step

Result = TypeVar("Result")
Value = TypeVar("Value")
# Each update is a request; nobody sees finer steps.
TELL_SECONDS = 0.5


class RunPage:
    """Keep the page of the run up to date while its steps go on: how far it is, and its tags. Threads may share it.

    Leaving it waits for what is still to be told. A server that cannot be told fails no run.
    """

    def __init__(self, steps: int, description: str) -> None:
        self._steps, self._done = steps, 0
        self._lock = threading.Lock()
        self._told = time.monotonic()
        self._artifact: UUID | None = None
        self._teller = ThreadPoolExecutor(1, thread_name_prefix="run page")
        self._context = copy_context()  # which run it is
        self._tell(self._create, description)

    def __enter__(self) -> RunPage:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._teller.shutdown(wait=True, cancel_futures=kind is not None)

    def __call__(self, result: Result, steps: int = 1) -> Result:
        """Count `steps` as done and hand `result` on."""
        with self._lock:
            self._done = min(self._steps, self._done + steps)
            now = time.monotonic()
            if self._done == self._steps or now - self._told >= TELL_SECONDS:
                self._told = now
                self._tell(self._update, round(100 * self._done / self._steps, 1))
        return result

    def tag(self, *names: str) -> None:
        """Add tags to the run, by which the UI finds those of a plugin or a language.

        Not to its tasks: Prefect asks the server for a concurrency limit by each tag before each task.
        """
        self._tell(_tag_run, names)

    def _tell(self, call: Callable[[Value], None], told: Value) -> None:
        self._teller.submit(self._context.run, self._try, call, told)

    def _try(self, call: Callable[[Value], None], told: Value) -> None:
        try:
            call(told)
        except Exception as error:
            log(f"the run's page is not up to date: {error}")

    # `_sync`: in a thread of an asynchronous flow Prefect would hand out a coroutine that nobody awaits.
    def _create(self, description: str) -> None:
        created = create_progress_artifact(0.0, description=description, _sync=True)  # type: ignore[call-arg]
        self._artifact = created if isinstance(created, UUID) else None

    def _update(self, reached: float) -> None:
        if self._artifact:
            update_progress_artifact(self._artifact, reached, _sync=True)  # type: ignore[call-arg]


def _tag_run(names: tuple[str, ...]) -> None:
    context = FlowRunContext.get()
    if context and context.flow_run:
        with one_client() as client:
            client.update_flow_run(context.flow_run.id, tags=sorted({*context.flow_run.tags, *names}))


@step("post-report", "{build.release.name} {build.release.version}", seconds=300, retries=3)
def post_report(
    build: PluginBuild,
    artifact: PackedArtifact,
    publications: tuple[Publication, ...],
    verdict: Verdict,
    probe: Mapping[str, Any] | None,
) -> PublishedPlugin:
    """Post the report of the release as an artifact of the run, and return it as a value."""
    published = _published(build, artifact, publications, verdict, probe)
    create_markdown_artifact(
        render_markdown(published), key=report_key(build), description=f"{build.release}: {verdict.summary}"
    )
    log(f"{'published' if published.published else 'already published'}: {published.reference}@{published.digest}")
    return published


@step("post-table", "{plan.summary}", seconds=300, retries=3)
def post_table(request: RepositoryRequest, plan: RepositoryPlan) -> None:
    """Post what became of every plugin of a repository as a table of the run."""
    create_table_artifact(plan.report_rows(), key="published-plugins", description=f"{request.title}: {plan.summary}")
    for plugin in plan.of("failed"):
        if isinstance(plugin.error, InternalError):
            log("".join(traceback.format_exception(plugin.error.__cause__)))
    log(plan.summary)


@step("post-watch", "{watch.summary}", seconds=300, retries=3)
def post_watch(request: WatchRequest, watch: TagWatch) -> None:
    """Post what became of every watched tag as a table of the run."""
    create_table_artifact(watch.rows(), key="watched-tags", description=f"{request.title}: {watch.summary}")
    log(watch.summary)


def report_key(build: PluginBuild) -> str:
    """Return the key under which a plugin's reports follow each other; Prefect allows a-z, 0-9 and -."""
    return f"published-{build.plugin.language}-{build.release.name.replace('_', '-')}"


def _published(
    build: PluginBuild,
    artifact: PackedArtifact,
    publications: tuple[Publication, ...],
    verdict: Verdict,
    probe: Mapping[str, Any] | None,
) -> PublishedPlugin:
    release = build.release
    places = [
        {
            "registry": str(item.destination),
            "reference": item.destination.reference_to(release.name, release.version),
            "digest": artifact.manifest.digest,
            "state": item.state,
            "latest": item.latest,
            "plain_http": item.plain_http,
        }
        for item in publications
    ]
    return PublishedPlugin(
        name=release.name,
        language=release.language,
        version=release.version,
        commit=build.source.commit,
        commit_time=build.source.commit_time,
        repository=build.source.repository,
        fingerprint=build.fingerprint,
        builder=build.builder,
        digest=artifact.manifest.digest,
        registries=tuple(places),
        layers=tuple({"title": layer.title, **layer.to_json()} for layer in artifact.layers),
        verdict=verdict.to_json(),
        published=any(item.state == "published" for item in publications),
        probe=probe,
        placement=build.plugin.placement,
        notes=build.notes,
    )
