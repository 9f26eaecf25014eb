"""The flow `publish-plugin`: from a tag, or a name and version, to an artifact that a gateway is known to load."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.machine import Machine, choose_host, find_machine
from flows.run import begin
from pluginyard.errors import PluginyardError, RepeatedCrashError
from pluginyard.forms import PublishRequest
from pluginyard.releases import MOST_RUNS, PackedArtifact, PluginBuild, PublishedPlugin
from pluginyard.settings import choose_repository
from pluginyard.webhooks import find_status_apis
from tasks.builds import build_once, pack_artifact
from tasks.doors.workspaces import Workspace, open_workspace
from tasks.gateways import require_envoy, run_in_envoy
from tasks.registries import Registries, find_published, log_in, module_of, push_artifact, verify_artifact
from tasks.server import RunPage, at_most, find_site_variable, post_report
from tasks.sources import checkout_source, detect_files, resolve_release
from tasks.statuses import commit_status

STEPS = 9


@flow(name="publish-plugin", flow_run_name="publish {request.title}", validate_parameters=True)
def publish_plugin(request: PublishRequest) -> dict[str, Any]:
    """Build a gateway plugin in a container and publish it as an OCI artifact that gateways are known to load.

    Args:
        request: What to publish, and where
    """
    try:
        machine = begin()
    except RepeatedCrashError as error:
        _report_crashes(request, error)
        raise
    request = request.at(choose_repository(request.repository, machine.site))
    if request.run_in_envoy:
        require_envoy(machine.site.envoy, request.title)
    with open_workspace(machine.cache) as workspace, RunPage(STEPS, f"publish {request.title}") as done:
        release = done(resolve_release(request))
        source = done(checkout_source(request, release, machine.cache, site=machine.site))
        done.tag(release.language, f"plugin:{release.name}")
        with commit_status(source, release):
            build = done(
                detect_files(
                    request,
                    release,
                    source,
                    site=machine.site,
                    builders=machine.builders,
                    choose_host=choose_host(machine.site),
                )
            )
            registries = Registries(machine.site, plain_http=request.plain_http, pushes=True)
            known = find_published(build, registries, overwrite=request.overwrite)
            return publish_build(request, build, known, machine, registries, workspace, done).to_json()


def _report_crashes(request: PublishRequest, error: RepeatedCrashError) -> None:
    """Tell the commit, whose status is pending since the run's first begin; once only, should this crash too."""
    if flow_run.run_count != MOST_RUNS + 1 or not find_status_apis(os.environ):
        return
    with suppress(PluginyardError):
        machine = find_machine(variable=find_site_variable())
        request = request.at(choose_repository(request.repository, machine.site))
        release = resolve_release(request)
        with commit_status(checkout_source(request, release, machine.cache, site=machine.site), release):
            raise error


def publish_build(
    request: PublishRequest,
    build: PluginBuild,
    known: PackedArtifact | None,
    machine: Machine,
    registries: Registries,
    workspace: Workspace,
    done: RunPage,
) -> PublishedPlugin:
    """Build what is planned unless it is `known` to be published, push it, verify it, report it."""
    site = machine.site
    if known is None:
        with at_most(site, f"builder-{build.recipe.builder.name}"):
            module = done(build_once(build, workspace, site.engine_address))
        artifact = done(pack_artifact(build, module, workspace))
    else:
        artifact = done(known, steps=2)
    done(log_in(build, artifact, registries))
    pulled = workspace.folder / "pulled"
    with at_most(site, *(f"registry-{place.host}" for place in build.destinations)):
        publications = done(push_artifact(build, artifact, registries, overwrite=request.overwrite))
        verdict = done(verify_artifact(build, artifact, registries, pulled))
    probe = run_in_envoy(build, verdict, module_of(artifact, pulled), site.envoy) if request.run_in_envoy else None
    return done(post_report(build, artifact, publications, verdict, probe))
