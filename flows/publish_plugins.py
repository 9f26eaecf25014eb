"""The flow `publish-plugins`: every plugin of a repository that is not published yet, and no other."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow

from flows.machine import Machine, choose_host
from flows.publish_plugin import STEPS, publish_build
from flows.run import begin
from pluginyard.forms import RepositoryRequest
from pluginyard.releases import PUBLISHED_NOW, PlannedPlugin, RepositoryPlan
from pluginyard.settings import choose_repository
from tasks.doors.sources import fetches_that_end
from tasks.doors.workspaces import open_workspace
from tasks.gateways import require_envoy
from tasks.registries import Registries, look_up
from tasks.server import RunPage, post_table
from tasks.sources import plan_repository
from tasks.steps import log, one_client


@flow(name="publish-plugins", flow_run_name="publish {request.title}", validate_parameters=True)
async def publish_plugins(request: RepositoryRequest) -> dict[str, Any]:
    """Publish every plugin of a repository whose content is not published yet; unchanged ones cost nothing.

    Args:
        request: Which repository and plugins, and where to
    """
    with one_client():
        machine = await asyncio.to_thread(begin)
        request = request.at(choose_repository(request.repository, machine.site))
        if request.run_in_envoy:
            await asyncio.to_thread(require_envoy, machine.site.envoy, request.title)
        with fetches_that_end():
            planned = await asyncio.to_thread(
                plan_repository,
                request,
                machine.cache,
                site=machine.site,
                builders=machine.builders,
                choose_host=choose_host(machine.site),
            )
        registries = Registries(machine.site, plain_http=request.plain_http, pushes=True)
        plan = await asyncio.to_thread(look_up, planned, registries, when_taken=request.when_taken)
        log(f"plan: {plan}")
        finished = await _publish(request, plan, machine, registries)
        await asyncio.to_thread(post_table, request, finished)
    finished.raise_for_failures(request.repository)
    return {"summary": finished.summary, "plugins": finished.rows()}


async def _publish(
    request: RepositoryRequest, plan: RepositoryPlan, machine: Machine, registries: Registries
) -> RepositoryPlan:
    """Publish what is to be built, a few at once; a failure holds back no other plugin."""
    waiting = plan.of("build")
    if not waiting:
        return plan
    turn = asyncio.Semaphore(request.at_once)
    title = f"publish {len(waiting)} of {len(plan.plugins)} plugins"

    async def publish(plugin: PlannedPlugin) -> PlannedPlugin:
        if plugin.state != "build":
            return plugin
        async with turn:
            return await asyncio.to_thread(_publish_one, request, plugin, machine, registries, done)

    with RunPage(STEPS * len(waiting), title) as done:
        return RepositoryPlan(tuple(await asyncio.gather(*map(publish, plan.plugins))))


def _publish_one(
    request: RepositoryRequest, plugin: PlannedPlugin, machine: Machine, registries: Registries, done: RunPage
) -> PlannedPlugin:
    assert plugin.build is not None  # noqa: S101  # the state says so
    asked = request.for_plugin(plugin.release.language, plugin.release.name)
    try:
        with open_workspace(machine.cache) as workspace:
            published = publish_build(asked, plugin.build, plugin.artifact, machine, registries, workspace, done)
    except Exception as error:
        return plugin.failed(error)
    return plugin.because("published", PUBLISHED_NOW, digest=published.digest)
