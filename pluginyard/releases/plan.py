"""Plan a release: find the plugin in the commit, its version, its recipe, its fingerprint, its destinations.

Pure: what lies outside is handed in as a `Commit` that can be read, and as `choose_host` (see `plan_build`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pluginyard.builds import SCRIPTS, Builder, HostChoice, PluginScript, choose_builder, fingerprint_of, plan_recipe
from pluginyard.errors import PluginyardError, RequestError
from pluginyard.forms import PublishRequest, VerifyRequest
from pluginyard.oci import SPEC, Destination, check_tag, parse_destination
from pluginyard.releases.places import explain_folder, find_namesakes, find_place, no_plugin
from pluginyard.releases.plugin import Plugin, PluginBuild
from pluginyard.releases.tag import (
    Release,
    check_language,
    check_version,
    choose_release,
    parse_release_tag,
    parse_version_file,
    version_of_commit,
)
from pluginyard.settings import (
    FILE_NAME,
    RepositorySettings,
    Site,
    load_configuration,
    refuse_contradictions,
)
from pluginyard.sources import Commit, Source, collect_context, find_documents, follow_link
from pluginyard.specs import check_spec, choose_placement

ChooseHost = Callable[[Builder], HostChoice | None]
"""Return this machine's own toolchain if that will build, None for a container."""


def ask_once(choose_host: ChooseHost) -> ChooseHost:
    """Return `choose_host` with a memory: an engine that is asked for every plugin costs more than the planning."""
    answers: dict[str, HostChoice | PluginyardError | None] = {}

    def ask(builder: Builder) -> HostChoice | PluginyardError | None:
        try:
            return choose_host(builder)
        except PluginyardError as error:
            return error

    def remembered(builder: Builder) -> HostChoice | None:
        answer = answers[builder.name] if builder.name in answers else answers.setdefault(builder.name, ask(builder))
        if isinstance(answer, PluginyardError):
            raise answer.with_traceback(None)
        return answer

    return remembered


def resolve_request(request: PublishRequest) -> Release:
    """Return the release that is asked for; raise RequestError before anything is looked at."""
    if request.tag:
        return parse_release_tag(request.tag)
    return choose_release(request.language, request.plugin, request.version)


def load_settings(commit: Commit) -> RepositorySettings:
    """Load the repository's pluginyard.yaml at this commit; the defaults where it has none."""
    file = commit.tree.file(FILE_NAME)
    return load_configuration(commit.read(file).decode("utf-8", "replace")) if file else RepositorySettings()


def plan_build(
    request: PublishRequest,
    release: Release,
    commit: Commit,
    *,
    site: Site,
    builders: Mapping[str, Builder],
    choose_host: ChooseHost,
    settings: RepositorySettings | None = None,
) -> PluginBuild:
    """Plan the whole of a release at `commit`; raise the error of the first thing that is not fit.

    `settings` are those of the commit, where they are loaded already: of many plugins each would load them again.
    """
    settings = settings or load_settings(commit)
    destinations = choose_destinations(request, site, settings)
    refuse_contradictions([place.host for place in destinations], settings)
    plugin = find_plugin(commit, release, settings, builders)
    builder = choose_builder(builders, plugin.builder)
    recipe = plan_recipe(
        builder,
        plugin_folder=plugin.folder,
        site=site,
        tidy=settings.tidy,
        buildrc=plugin.buildrc,
        script=plugin.script,
        needs_fetch=plugin.needs_fetch,
        environment=plugin.environment,
    )
    host = choose_host(builder)
    recipe = recipe.on_host(host.version, host.note) if host else recipe
    return PluginBuild(
        release=release.with_version(choose_version(release, plugin, commit.source)),
        source=commit.source,
        plugin=plugin,
        recipe=recipe,
        settings=settings,
        fingerprint=fingerprint_of(plugin.folder, plugin.context, plugin.documents, recipe.identity),
        destinations=tuple(place.below(plugin.below) for place in destinations),
    )


def find_plugin(
    commit: Commit, release: Release, settings: RepositorySettings, builders: Mapping[str, Builder]
) -> Plugin:
    """Find the plugin's folder and everything in it that matters; raise SourceError where it is not there."""
    tree, read = commit.tree, commit.read
    check_language(release.language, settings.languages, subject=str(release))
    layout, own = settings.languages[release.language], settings.plugin(release.name)
    builder = choose_builder(builders, own.builder or layout.builder)
    place = find_place(tree, release, settings, builders)
    folder = place.folder_of(release.name)
    if not tree.below(folder):
        raise no_plugin(tree, release, settings)
    if not tree.file(f"{folder}/{builder.definition.manifest}") and (error := explain_folder(tree, folder)):
        raise error

    def content(name: str) -> bytes | None:
        file = tree.file(f"{folder}/{name}")
        return read(follow_link(tree, file, read)) if file else None

    context = collect_context(tree, folder, builder.definition.manifest, read, own.inputs)
    documents = find_documents(tree, folder, read)
    specs = [check_spec(read(each.file), subject=each.file.path) for each in documents if each.media_type == SPEC]
    scripts = (PluginScript(folder, name, text) for name in SCRIPTS if (text := content(name)) is not None)
    return Plugin(
        language=release.language,
        name=release.name,
        folder=folder,
        builder=builder.name,
        context=context.files,
        documents=documents,
        declared_version=parse_version_file(content("VERSION") or b"", subject=f"{folder}/VERSION"),
        buildrc=(content(".buildrc") or b"").decode("utf-8", "replace"),
        script=next(scripts, None),
        needs_fetch=builder.needs_fetch(content) or context.needs_fetch,
        environment=context.environment,
        below=place.below,
        placement=choose_placement(specs[0]) if specs else {},
        notes=(*find_namesakes(tree, release, settings, place), *context.notes),
    )


def choose_version(release: Release, plugin: Plugin, source: Source) -> str:
    """Return the version asked for, else the plugin's VERSION file, else commit time and short commit."""
    if release.version:
        return release.version
    if plugin.declared_version:
        return check_version(plugin.declared_version, subject=f"{plugin.folder}/VERSION")
    return check_tag(version_of_commit(source.commit_time, source.commit), subject=plugin.name)


def choose_destinations(
    request: PublishRequest | VerifyRequest, site: Site, settings: RepositorySettings
) -> tuple[Destination, ...]:
    """Return where to publish: the request's registries, else the site's, else the repository's."""
    texts = request.registries or site.registries or settings.registries
    if not texts:
        raise RequestError(
            "no registry is named",
            subject=request.title,
            remedy="give --registry HOST/NAMESPACE (or oci:PATH), set PLUGINYARD_REGISTRIES, "
            f"or write `registries:` in {FILE_NAME}",
        )
    return tuple(dict.fromkeys(parse_destination(text) for text in texts))
