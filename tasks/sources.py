"""What is asked for, and where its source is: resolve-release, checkout-source, detect-files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pluginyard.builders import Builder
from pluginyard.planning import HostVersion, plan_build, resolve_request
from pluginyard.plugins import PluginBuild, Source
from pluginyard.publish_requests import PublishRequest
from pluginyard.releases import Release
from pluginyard.site import Site
from tasks.doors import sources
from tasks.policies import log, step


@step("resolve-release", "{request.title}", seconds=60)
def resolve_release(request: PublishRequest) -> Release:
    """Turn a tag, or a name and version, into a release; a bad one is refused before anything runs."""
    release = resolve_request(request)
    log(f"release: {release.language} plugin {release}")
    return release


@step("checkout-source", "{request.repository}", seconds=sources.FETCH_SECONDS + 60, retries=3)
def checkout_source(request: PublishRequest, release: Release, cache: Path) -> Source:
    """Pin the repository to the commit of the tag, branch or commit."""
    source = sources.open_source(request.repository, tag=release.tag, ref=request.ref, cache=cache)
    log(f"source: {source.repository} at {source.commit}")
    return source


@step("detect-files", "{release.name}", seconds=300)
def detect_files(
    request: PublishRequest,
    release: Release,
    source: Source,
    *,
    site: Site,
    builders: Mapping[str, Builder],
    host_version: HostVersion,
) -> PluginBuild:
    """Find what the compiler reads and what becomes a layer, and plan the build over it."""
    tree = sources.read_tree(source)
    with sources.BlobReader(source) as blobs:
        build = plan_build(
            request, release, source, tree, blobs.read, site=site, builders=builders, host_version=host_version
        )
    titles = ", ".join(item.title for item in build.plugin.documents) or "no documents"
    log(f"plan: {build.plugin.folder}, {len(build.plugin.context)} files, {titles}; {build.builder}")
    log(f"fingerprint: {build.fingerprint}")
    return build
