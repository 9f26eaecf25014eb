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

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext

from pluginyard.errors import InternalError
from pluginyard.forms import RepositoryRequest, WatchRequest
from pluginyard.gateways import Verdict
from pluginyard.gateways.judge import judge_naming
from pluginyard.printable import printable
from pluginyard.releases import (
    PackedArtifact,
    PluginBuild,
    Publication,
    PublishedPlugin,
    RepositoryPlan,
    describe_published,
)
from pluginyard.reports import render_markdown, report_key
from pluginyard.webhooks.watch import TagWatch
from tasks.server.artifacts import show_markdown, show_table
from tasks.steps import log, one_client, step

Result = TypeVar("Result")
Value = TypeVar("Value")
# Each update is a request; nobody sees finer steps.
UPDATE_SECONDS = 0.5


class RunPage:
    """Keep the page of the run up to date while its steps go on: how far it is, and its tags. Threads may share it.

    Leaving it waits for what is still to be sent. A server that does not take it fails no run.
    """

    def __init__(self, steps: int, description: str) -> None:
        self._steps, self._done = steps, 0
        self._lock = threading.Lock()
        self._sent_at = time.monotonic()
        self._artifact: UUID | None = None
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="run page")
        self._context = copy_context()  # which run it is
        self._send(self._create, description)

    def __enter__(self) -> RunPage:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._sender.shutdown(wait=True, cancel_futures=kind is not None)

    def __call__(self, result: Result, steps: int = 1) -> Result:
        """Count `steps` as done and hand `result` on."""
        with self._lock:
            self._done = min(self._steps, self._done + steps)
            now = time.monotonic()
            if self._done == self._steps or now - self._sent_at >= UPDATE_SECONDS:
                self._sent_at = now
                self._send(self._update, round(100 * self._done / self._steps, 1))
        return result

    def tag(self, *names: str) -> None:
        """Add tags to the run, by which the UI finds those of a plugin or a language.

        Not to its tasks: Prefect asks the server for a concurrency limit by each tag before each task.
        """
        self._send(_tag_run, names)

    def _send(self, call: Callable[[Value], None], value: Value) -> None:
        self._sender.submit(self._context.run, self._try, call, value)

    def _try(self, call: Callable[[Value], None], value: Value) -> None:
        try:
            call(value)
        except Exception as error:
            log(f"the run's page is not up to date: {error}")

    # `_sync`: in a thread of an asynchronous flow Prefect would hand out a coroutine that nobody awaits.
    def _create(self, description: str) -> None:
        created = create_progress_artifact(0.0, description=printable(description), _sync=True)  # type: ignore[call-arg]
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
    named = judge_naming(verdict, build.references[0])
    published = describe_published(build, artifact, publications, named, probe)
    show_markdown(report_key(build), render_markdown(published), f"{build.release}: {verdict.summary}")
    log(f"{'published' if published.published else 'already published'}: {published.reference}@{published.digest}")
    return published


@step("post-table", "{plan.summary}", seconds=300, retries=3)
def post_table(request: RepositoryRequest, plan: RepositoryPlan) -> None:
    """Post what became of every plugin of a repository as a table of the run."""
    show_table("published-plugins", plan.report_rows(), f"{request.title}: {plan.summary}")
    for plugin in plan.of("failed"):
        if isinstance(plugin.error, InternalError):
            log("".join(traceback.format_exception(plugin.error.__cause__)))
    log(plan.summary)


@step("post-watch", "{watch.summary}", seconds=300, retries=3)
def post_watch(request: WatchRequest, watch: TagWatch) -> None:
    """Post what became of every watched tag as a table of the run."""
    show_table("watched-tags", watch.rows(), f"{request.title}: {watch.summary}")
    log(watch.summary)
