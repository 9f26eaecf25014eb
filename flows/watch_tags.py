"""The flow `watch-tags`: every new release tag of the watched repositories is published once, without a webhook.

The registries say what is published, and the Prefect server which run was started for which tag, so a watch needs
no record of its own: it can be killed, moved or started anew at any time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from prefect import flow, tags

from flows.publish_plugin import publish_plugin
from flows.run import begin
from pluginyard.errors import ConfigurationError, PluginyardError
from pluginyard.forms import WatchRequest
from pluginyard.settings import choose_repository
from pluginyard.webhooks.watch import TagWatch, WatchedTag, for_tag
from tasks.registries import Registries, look_up_tags
from tasks.server import find_deployment, look_up_runs, post_watch, start_release
from tasks.sources import read_tags


@flow(name="watch-tags", flow_run_name="watch {request.title}", validate_parameters=True)
def watch_tags(request: WatchRequest) -> dict[str, Any]:
    """Publish each release tag that the registries do not have yet, once; nothing else is remembered.

    Args:
        request: Which repositories to watch, and which registries to ask
    """
    machine = begin()
    request = request.at(request.repositories or [choose_repository("", machine.site)])
    registries = Registries(machine.site, plain_http=request.plain_http)
    found = look_up_tags(read_tags(request, machine.cache, site=machine.site, builders=machine.builders), registries)
    watch = _start(request, found)
    post_watch(request, watch)
    watch.raise_for_failures(request.title)
    return {"summary": watch.summary, "tags": watch.rows()}


def _start(request: WatchRequest, watch: TagWatch) -> TagWatch:
    """Start what is missing; a tag that cannot be started holds back no other."""
    if not watch.of("missing"):
        return watch
    deployment = find_deployment(request.deployment)
    tags = (_start_one(request, tag, deployment) if tag.state == "missing" else tag for tag in watch.tags)
    return replace(watch, tags=tuple(tags))


def _start_one(request: WatchRequest, tag: WatchedTag, deployment: UUID | None) -> WatchedTag:
    try:
        if deployment is not None:
            return start_release(tag, for_tag(request, tag), deployment)
        if request.without_deployment == "fail":
            raise ConfigurationError(
                "there is no such deployment",
                subject=request.deployment,
                remedy="run `python -m deployments.register --deploy`",
            )
        return _publish_here(request, look_up_runs(tag))
    except PluginyardError as error:
        return tag.failed(error)


def _publish_here(request: WatchRequest, tag: WatchedTag) -> WatchedTag:
    if tag.state != "missing":
        return tag
    with tags("watch-tags", tag.key):  # by which later watches find the run
        published = publish_plugin(for_tag(request, tag))
    return tag.because("published", f"published now: {published['digest']}")
