"""The flow `publish-plugin`: from a tag, or a name and version, to an artifact that a gateway is known to load."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.machine import find_machine, host_version
from pluginyard.publish_requests import PublishRequest
from tasks.doors.workspaces import open_workspace
from tasks.gateways import run_in_envoy
from tasks.modules import build_once, pack_artifact
from tasks.registries import find_published, log_in, module_of, push_artifact, verify_artifact
from tasks.reports import Progress, post_report
from tasks.sources import checkout_source, detect_files, resolve_release

STEPS = 9


@flow(name="publish-plugin", flow_run_name="publish {request.title}", validate_parameters=True)
def publish_plugin(request: PublishRequest) -> dict[str, Any]:
    """Build a gateway plugin in a container and publish it as an OCI artifact that gateways are known to load.

    Args:
        request: What to publish, and where
    """
    machine = find_machine()
    site, http = machine.site, request.plain_http
    done = Progress(STEPS, f"publish {request.title}")
    with open_workspace(machine.cache) as workspace:
        release = done(resolve_release(request))
        source = done(checkout_source(request, release, machine.cache))
        build = done(
            detect_files(
                request, release, source, site=site, builders=machine.builders, host_version=host_version(site)
            )
        )
        artifact = find_published(build, site, plain_http=http, overwrite=request.overwrite)
        if artifact is None:
            module = done(build_once(build, workspace, site.engine_address))
            artifact = done(pack_artifact(build, module, workspace))
        else:
            done(artifact, steps=2)
        done(log_in(build, site, plain_http=http))
        publications = done(push_artifact(build, artifact, site, plain_http=http, overwrite=request.overwrite))
        pulled = workspace.folder / "pulled"
        verdict = done(verify_artifact(build, artifact, site, pulled, plain_http=http))
        probe = run_in_envoy(build, verdict, module_of(artifact, pulled), site.envoy) if request.run_in_envoy else None
        published = done(post_report(build, artifact, publications, verdict, probe))
        return published.to_json()
