"""What is asked for, and where its source is: resolve-release, checkout-source, detect-files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pluginyard.audits import Scope, SourcePlugin, choose_names, find_source_plugins
from pluginyard.builds import Builder
from pluginyard.errors import ConfigurationError, PluginyardError
from pluginyard.forms import PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest
from pluginyard.releases import (
    ChooseHost,
    PluginBuild,
    Release,
    RepositoryPlan,
    ask_once,
    choose_destinations,
    find_twins,
    keep_changed,
    list_plugins,
    load_settings,
    named_by_content,
    parse_version_file,
    plan_build,
    plan_plugins,
    refuse_twins,
    resolve_request,
    select_plugins,
)
from pluginyard.settings import RepositorySettings, Site
from pluginyard.sources import Read, Source, SourceTree
from pluginyard.webhooks import TagWatch, WatchedTag, choose_watched_tags, for_tag, merge
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
    source = sources.open_source(request.repository, ref=request.ref, cache=cache, ca_bundle=site.ca_bundle)
    tree = sources.read_tree(source)
    with sources.BlobReader(source) as blobs:
        settings = load_settings(tree, blobs.read)
        releases = select_plugins(request, tree, settings, builders)
        plan = partial(
            _plan_all,
            request,
            releases,
            read=blobs.read,
            site=site,
            builders=builders,
            choose_host=ask_once(choose_host),
        )
        planned = plan(source, tree, settings)
        if request.changed_since:
            before = sources.open_source(
                request.repository, ref=request.changed_since, cache=cache, ca_bundle=site.ca_bundle
            )
            planned = _changed_since(before, planned, tree, settings, blobs.read, plan)
    log(f"{source.repository} at {source.commit}: {len(planned.plugins)} of {len(releases)} plugins")
    return refuse_twins(planned, find_twins(releases, settings))


def _plan_all(
    request: RepositoryRequest,
    releases: tuple[Release, ...],
    source: Source,
    tree: SourceTree,
    settings: RepositorySettings,
    **how: Any,
) -> RepositoryPlan:
    def plan(release: Release) -> PluginBuild:
        asked = request.for_plugin(release.language, release.name)
        return named_by_content(plan_build(asked, release, source, tree, settings=settings, **how))

    return plan_plugins(releases, plan)


def _changed_since(
    before: Source,
    planned: RepositoryPlan,
    tree: SourceTree,
    settings: RepositorySettings,
    read: Read,
    plan: Callable[[Source, SourceTree, RepositorySettings], RepositoryPlan],
) -> RepositoryPlan:
    """Plan the commit `before` too, by its own pluginyard.yaml, and keep what differs; registries do not count."""
    old = sources.read_tree(before)
    try:
        own = load_settings(old, read).model_copy(update={"registries": settings.registries})
    except ConfigurationError as error:
        log(f"every plugin counts as changed since {before.commit[:12]}: {error}")
        return planned

    def has_other_files(release: Release) -> bool:
        folder = settings.languages[release.language].folder_of(release.name)
        return old.below(folder) != tree.below(folder)

    return keep_changed(planned, plan(before, old, own), has_other_files)


@step("list-plugins", "of {request.title}", seconds=sources.FETCH_SECONDS + 300, retries=3)
def list_published(request: VerifyRequest, cache: Path, *, site: Site, builders: Mapping[str, Builder]) -> Scope:
    """Find which plugins are verified, where and for which gateways; the repository says, if there is one."""
    settings, known, repository = RepositorySettings(), dict[str, SourcePlugin](), ""
    if request.repository:
        tags = sources.read_git_tags(request.repository, cache=cache, ca_bundle=site.ca_bundle)
        source = sources.open_source(request.repository, ref=request.ref, cache=cache, ca_bundle=site.ca_bundle)
        repository, tree = source.repository, sources.read_tree(source)
        with sources.BlobReader(source) as blobs:
            settings = load_settings(tree, blobs.read)

            def read_version(release: Release) -> str:
                file = tree.file(f"{settings.languages[release.language].folder_of(release.name)}/VERSION")
                return parse_version_file(blobs.read(file)) if file else ""

            known = find_source_plugins(list_plugins(tree, settings, builders), tags, read_version, request.newest)
    names = choose_names(request.plugins, known)
    log(f"{len(names)} plugins")
    return Scope(
        plugins=tuple(known.get(name, SourcePlugin(name)) for name in names),
        destinations=choose_destinations(request, site, settings),
        gateways=tuple(request.gateways) or settings.gateways,
        repository=repository,
        follows_latest=settings.latest == "forward",
    )


@step("read-tags", "of {request.title}", seconds=3600)
def read_tags(request: WatchRequest, cache: Path, *, site: Site) -> TagWatch:
    """Fetch the watched repositories, a few at once, and choose the tags to look up; no failure holds back another.

    Not retried: the next watch is.
    """
    read = partial(_read_tags, request, cache=cache, site=site, now=time.time())
    with ThreadPoolExecutor(_FETCHES, thread_name_prefix="fetch") as pool, sources.fetches_that_end():
        watch = merge(pool.map(read, request.repositories))
    log(f"{len(request.repositories)} repositories: {len(watch.of('missing'))} release tags to look up")
    return watch


def _read_tags(request: WatchRequest, repository: str, *, cache: Path, site: Site, now: float) -> TagWatch:
    try:
        found = sources.read_git_tags(repository, cache=cache, ca_bundle=site.ca_bundle)
        watch = choose_watched_tags(request, repository, found, now)
    except PluginyardError as error:
        return TagWatch((WatchedTag(repository, "", "failed", error.message, error=error),))
    tags = [_with_destinations(request, tag, site) for tag in watch.tags if tag.state != "too old"]
    return replace(watch, tags=(*tags, *_old_with_destinations(request, watch.of("too old"), site)))


def _with_destinations(request: WatchRequest, tag: WatchedTag, site: Site) -> WatchedTag:
    """Find where the tag is published; the tag's own pluginyard.yaml is read only where nobody else says."""
    if tag.source is None or tag.release is None:
        return tag
    try:
        named = request.registries or site.registries
        settings = RepositorySettings() if named else _settings_at(tag.source)
        return replace(tag, destinations=choose_destinations(for_tag(request, tag), site, settings))
    except PluginyardError as error:
        return tag.failed(error)


def _old_with_destinations(request: WatchRequest, tags: Sequence[WatchedTag], site: Site) -> list[WatchedTag]:
    """Find where old tags would be; what the newest one's pluginyard.yaml says goes for hundreds of them."""
    if not tags:
        return []
    newest = _with_destinations(request, max(tags, key=lambda tag: tag.tagged), site)
    return [replace(tag, destinations=newest.destinations, error=newest.error) for tag in tags]


def _settings_at(source: Source) -> RepositorySettings:
    tree = sources.read_tree(source)
    with sources.BlobReader(source) as blobs:
        return load_settings(tree, blobs.read)
