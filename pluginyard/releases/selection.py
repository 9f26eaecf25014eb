"""Which plugins a repository has, and which of them are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from pluginyard.builds import Builder, choose_builder
from pluginyard.errors import RequestError, SourceError
from pluginyard.forms import RepositoryRequest
from pluginyard.releases.places import explain_folder, find_place, image_name
from pluginyard.releases.tag import Release, check_language, nearest_names
from pluginyard.settings import FILE_NAME, RepositorySettings
from pluginyard.sources import SourceTree

# What is published already is skipped in any case, so both words ask for the same.
EVERY = ("all", "changed")


def list_plugins(
    tree: SourceTree,
    settings: RepositorySettings,
    builders: Mapping[str, Builder],
    languages: Collection[str] = (),
) -> Iterator[Release]:
    """Yield every plugin of the repository, of these languages only: each folder that has its toolchain's manifest.

    Of languages that share a folder (go and tinygo in Higress's layout) the first one counts, and of folders of one
    language that hold plugins of one name, for a tag stands for both.
    """
    found = _list_folders(tree, settings, builders, languages)
    yield from dict.fromkeys(Release(language, name) for language, name, _, is_plugin in found if is_plugin)


def explain_folders(
    tree: SourceTree, settings: RepositorySettings, builders: Mapping[str, Builder]
) -> Mapping[str, SourceError]:
    """Return why folders beside those of plugins are none, by name, where it is known what they are instead."""
    folders = ((name, path) for _, name, path, is_plugin in _list_folders(tree, settings, builders) if not is_plugin)
    return {name: error for name, path in folders if (error := explain_folder(tree, path))}


def _list_folders(
    tree: SourceTree,
    settings: RepositorySettings,
    builders: Mapping[str, Builder],
    languages: Collection[str] = (),
) -> Iterator[tuple[str, str, str, bool]]:
    """Yield language, name and path of each folder where plugins lie, and whether it has its toolchain's manifest."""
    seen: set[str] = set()
    for language, layout in settings.languages.items():
        if languages and language not in languages:
            continue
        manifest = choose_builder(builders, layout.builder).definition.manifest
        for place in layout.places:
            if place.folder not in seen:
                seen.add(place.folder)
                for name in tree.folders_in(place.folder):
                    path = place.folder_of(name)
                    yield language, name, path, tree.file(f"{path}/{manifest}") is not None


def select_plugins(
    request: RepositoryRequest, tree: SourceTree, settings: RepositorySettings, builders: Mapping[str, Builder]
) -> tuple[Release, ...]:
    """Return the plugins that are asked for; raise RequestError for a language or pattern that stands for none."""
    for language in request.languages:
        check_language(language, settings.languages, subject="languages")
    found = tuple(list_plugins(tree, settings, builders, request.languages))
    patterns = _patterns(request.plugins, found)
    for pattern in patterns:
        if not _matching([pattern], found):
            if error := explain_folders(tree, settings, builders).get(pattern):
                raise error
            raise _no_match(pattern, request.languages, found, tuple(list_plugins(tree, settings, builders)))
    return _matching(patterns, found)


def find_twins(
    releases: Iterable[Release], tree: SourceTree, settings: RepositorySettings, builders: Mapping[str, Builder]
) -> Mapping[tuple[str, str], SourceError]:
    """Return by language and name why a plugin is refused that would share one image with another one.

    None of them is published: which of them gateways get by that name is for people to decide.
    """
    alike: dict[str, list[Release]] = defaultdict(list)
    for release in releases:
        alike[image_name(tree, release, settings, builders)].append(release)
    return {
        (release.language, release.name): _twin_error(
            twins, [find_place(tree, each, settings, builders).folder_of(each.name) for each in twins]
        )
        for twins in alike.values()
        if len(twins) > 1
        for release in twins
    }


def _patterns(asked: list[str], found: tuple[Release, ...]) -> list[str]:
    names = {release.name for release in found}
    return ["*" if word in EVERY and word not in names else word for word in asked] or ["*"]


def _matching(patterns: Iterable[str], found: tuple[Release, ...]) -> tuple[Release, ...]:
    return tuple(release for release in found if any(fnmatchcase(release.name, pattern) for pattern in patterns))


def _no_match(
    pattern: str, languages: list[str], found: tuple[Release, ...], every: tuple[Release, ...]
) -> RequestError:
    of = f" of {' or '.join(languages)}" if languages else ""
    if elsewhere := _matching([pattern], every):
        first = elsewhere[0]
        remedy = f"{first.name} is a plugin of {first.language}: ask for that language, or for all"
    else:
        remedy = nearest_names(pattern, (release.name for release in found))
    return RequestError(f"matches no plugin{of}", subject=pattern, remedy=remedy)


def _twin_error(twins: list[Release], folders: list[str]) -> SourceError:
    first, last = twins[0], twins[-1]
    return SourceError(
        f"{' and '.join(folders)} would be published under one name",
        subject=f"plugin {first.name}",
        remedy=f"rename one, or publish by language (languages: {first.language}), each to registries of its own; or "
        f"name a path for one language in {FILE_NAME}: `layout: {{{last.language}: {{below: {last.language}, …}}}}`",
    )
