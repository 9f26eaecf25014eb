"""The flow `publish-plugin`: from a tag, or a name and version, to an artifact that a gateway is known to load."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.beginning import begin
from flows.machine import Machine, host_version
from pluginyard.plugins import PackedArtifact, PluginBuild, PublishedPlugin
from pluginyard.publish_requests import PublishRequest
from pluginyard.site import choose_repository
from tasks.commit_statuses import told_at_commit
from tasks.connections import Registries
from tasks.doors.workspaces import Workspace, open_workspace
from tasks.gateways import run_in_envoy
from tasks.limits import at_most
from tasks.modules import build_once, pack_artifact
from tasks.registries import find_published, log_in, module_of, push_artifact, verify_artifact
from tasks.reports import RunPage, post_report
from tasks.sources import checkout_source, detect_files, resolve_release

STEPS = 9


@flow(name="publish-plugin", flow_run_name="publish {request.title}", validate_parameters=True)
def publish_plugin(request: PublishRequest) -> dict[str, Any]:
    """Build a gateway plugin in a container and publish it as an OCI artifact that gateways are known to load.

    Args:
        request: What to publish, and where
    """
    machine = begin()
    request = request.at(choose_repository(request.repository, machine.site))
    with open_workspace(machine.cache) as workspace, RunPage(STEPS, f"publish {request.title}") as done:
        release = done(resolve_release(request))
        source = done(checkout_source(request, release, machine.cache, site=machine.site))
        done.tag(release.language, f"plugin:{release.name}")
        with told_at_commit(source, release):
            build = done(
                detect_files(
                    request,
                    release,
                    source,
                    site=machine.site,
                    builders=machine.builders,
                    host_version=host_version(machine.site),
                )
            )
            registries = Registries(machine.site, plain_http=request.plain_http)
            known = find_published(build, registries, overwrite=request.overwrite)
            return publish_build(request, build, known, machine, registries, workspace, done).to_json()


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
