"""What is asked for, and where its source is: resolve-release, checkout-source, detect-files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pluginyard.audits import Scope, SourcePlugin, choose_scope, read_source_plugins
from pluginyard.builds import Builder
from pluginyard.errors import PluginyardError
from pluginyard.forms import PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest
from pluginyard.releases import (
    ChooseHost,
    PluginBuild,
    Release,
    RepositoryPlan,
    load_settings,
    plan_commit,
    resolve_request,
)
from pluginyard.settings import RepositorySettings, Site
from pluginyard.sources import Source
from pluginyard.webhooks.watch import TagWatch, WatchedTag, choose_watched_tags, locate_tags, merge
from tasks.doors import sources
from tasks.steps import log, step

_FETCHES = 4


@step("resolve-release", "{request.title}", seconds=60)
def resolve_release(request: PublishRequest) -> Release:
    """Turn a tag, or a name and version, into a release; a bad one is refused before anything runs."""
    release = resolve_request(request)
    log(f"release: {release.language} plugin {release}")
    return release


@step("checkout-source", "{request.repository}", seconds=sources.FETCH_SECONDS + 60, retries=3)
def checkout_source(request: PublishRequest, release: Release, cache: Path, *, site: Site) -> Source:
    """Pin the repository to the commit of the tag, branch or commit."""
    source = sources.open_release(request, release, cache=cache, site=site)
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
    choose_host: ChooseHost,
) -> PluginBuild:
    """Find what the compiler reads and what becomes a layer, and plan the build over it."""
    build = sources.plan_release(request, release, source, site=site, builders=builders, choose_host=choose_host)
    titles = ", ".join(item.title for item in build.plugin.documents) or "no documents"
    log(f"plan: {build.plugin.folder}, {len(build.plugin.context)} files, {titles}; {build.builder}")
    log(f"fingerprint: {build.fingerprint}")
    return build


@step("plan-repository", "{request.repository}", seconds=sources.FETCH_SECONDS + 600, retries=3)
def plan_repository(
    request: RepositoryRequest,
    cache: Path,
    *,
    site: Site,
    builders: Mapping[str, Builder],
    choose_host: ChooseHost,
) -> RepositoryPlan:
    """Find the plugins that are asked for and plan each; one that is not fit to build holds back no other."""

    def pin(ref: str) -> sources.CommitReader:
        source = sources.open_source(request.repository, ref=ref, cache=cache, ca_bundle=site.ca_bundle)
        return sources.CommitReader(source)

    with ExitStack() as opened:
        commit = opened.enter_context(pin(request.ref))
        before = opened.enter_context(pin(request.changed_since)) if request.changed_since else None
        return plan_commit(request, commit, before, site=site, builders=builders, choose_host=choose_host, report=log)


@step("list-plugins", "of {request.title}", seconds=sources.FETCH_SECONDS + 300, retries=3)
def list_published(request: VerifyRequest, cache: Path, *, site: Site, builders: Mapping[str, Builder]) -> Scope:
    """Find which plugins are verified, where and for which gateways; the repository says, if there is one."""
    settings, known, repository = RepositorySettings(), dict[str, SourcePlugin](), ""
    if request.repository:
        tags = sources.read_git_tags(request.repository, cache=cache, ca_bundle=site.ca_bundle)
        source = sources.open_source(request.repository, ref=request.ref, cache=cache, ca_bundle=site.ca_bundle)
        with sources.CommitReader(source) as commit:
            settings, repository = load_settings(commit), source.repository
            known = read_source_plugins(commit, tags, settings, builders, request.newest)
    scope = choose_scope(request, site, settings, known, repository)
    log(f"{len(scope.plugins)} plugins")
    return scope


@step("read-tags", "of {request.title}", seconds=3600)
def read_tags(request: WatchRequest, cache: Path, *, site: Site, builders: Mapping[str, Builder]) -> TagWatch:
    """Fetch the watched repositories, a few at once, and choose the tags to look up; no failure holds back another.

    Not retried: the next watch is.
    """
    read = partial(_read_tags, request, cache=cache, site=site, builders=builders, now=time.time())
    with ThreadPoolExecutor(_FETCHES, thread_name_prefix="fetch") as pool, sources.fetches_that_end():
        watch = merge(pool.map(read, request.repositories))
    log(f"{len(request.repositories)} repositories: {len(watch.of('missing'))} release tags to look up")
    return watch


def _read_tags(
    request: WatchRequest,
    repository: str,
    *,
    cache: Path,
    site: Site,
    builders: Mapping[str, Builder],
    now: float,
) -> TagWatch:
    try:
        found = sources.read_git_tags(repository, cache=cache, ca_bundle=site.ca_bundle)
        watch = choose_watched_tags(request, repository, found, now)
    except PluginyardError as error:
        return TagWatch((WatchedTag(repository, "", "failed", error.message, error=error),))
    for source, tags in watch.by_commit().items():
        with sources.CommitReader(source) as commit:
            watch = watch.located(locate_tags(request, tags, commit, site=site, builders=builders))
    return watch
