"""Where a plugin lies in its repository, and below which path it is published."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from pluginyard.builds import Builder
from pluginyard.errors import SourceError
from pluginyard.releases.tag import Release, nearest_names
from pluginyard.settings import FILE_NAME, LanguageLayout, PluginFolder, RepositorySettings
from pluginyard.sources import SourceTree

# Folders that lie among plugins and have nothing to compile, by the file they have: what they are, and what to do.
_NO_PLUGIN = {
    "mcp-server.yaml": (
        "an MCP server in YAML, with nothing to compile",
        "publish the plugin mcp-server, and put {path} into its configuration",
    )
}


def find_place(
    tree: SourceTree, release: Release, settings: RepositorySettings, builders: Mapping[str, Builder]
) -> PluginFolder:
    """Return where the plugin lies: the first place that has its toolchain's manifest there, else a folder at all."""
    layout, own = settings.languages[release.language], settings.plugin(release.name)
    builder = builders.get(own.builder or layout.builder)
    places = _with_folder(tree, layout, release.name)
    if builder:
        manifest = builder.definition.manifest
        fit = (each for each in places if tree.file(posixpath.join(each.folder_of(release.name), manifest)))
        return next(fit, None) or next(iter(places), layout)
    return next(iter(places), layout)


def image_name(
    tree: SourceTree, release: Release, settings: RepositorySettings, builders: Mapping[str, Builder]
) -> str:
    """Return the plugin's name as destinations have it: with the path that it is published below."""
    known = release.language in settings.languages
    below = find_place(tree, release, settings, builders).below if known else ""
    return posixpath.join(below, release.name)


def explain_folder(tree: SourceTree, folder: str) -> SourceError | None:
    """Return why there is nothing to compile in `folder`, where it is known what lies there instead."""
    for name, (what, remedy) in _NO_PLUGIN.items():
        if tree.file(path := f"{folder}/{name}"):
            return SourceError(f"it is {what}", subject=folder, remedy=remedy.format(path=path))
    return None


def no_plugin(tree: SourceTree, release: Release, settings: RepositorySettings) -> SourceError:
    """Return the error that names the language which has the plugin, else the nearest name, else the setting."""
    layout = settings.languages[release.language]
    names = [name for place in layout.places for name in tree.folders_in(place.folder)]
    others = [name for name, other in settings.languages.items() if _with_folder(tree, other, release.name)]
    if others:
        remedy = f"{release.name} is a plugin of {' or '.join(others)}: ask for that language"
    elif names:
        remedy = nearest_names(release.name, names)
    else:
        where = layout.folder or "the top of the repository"
        remedy = f"no plugin lies in {where}: say in {FILE_NAME}, under `layout:`, where this repository has them"
    return SourceError(
        f"there is no folder {layout.folder_of(release.name)}", subject=f"plugin {release.name}", remedy=remedy
    )


def find_namesakes(
    tree: SourceTree, release: Release, settings: RepositorySettings, mine: PluginFolder
) -> tuple[str, ...]:
    """Return a warning for each other plugin of this name that has the same reference, or the same tag."""
    folder, own = mine.folder_of(release.name), settings.languages[release.language]
    others = {
        place.folder_of(release.name)
        for layout in settings.languages.values()
        for place in _with_folder(tree, layout, release.name)
        if place.below == mine.below
    } - {folder}
    hidden = {place.folder_of(release.name) for place in _with_folder(tree, own, release.name)} - {folder, *others}
    return (
        *(f"{other} has the same name and would be published under the same reference" for other in sorted(others)),
        *(f"{other} has the same name and language, and is not published: rename it" for other in sorted(hidden)),
    )


def _with_folder(tree: SourceTree, layout: LanguageLayout, name: str) -> list[PluginFolder]:
    return [place for place in layout.places if tree.below(place.folder_of(name))]
