"""Which plugins a repository has, and which of them are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from pluginyard.builds import Builder, choose_builder
from pluginyard.errors import RequestError, SourceError
from pluginyard.forms import RepositoryRequest
from pluginyard.releases.tag import Release, check_language, nearest_names
from pluginyard.settings import RepositorySettings
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

    Of languages that share a folder (go and tinygo in Higress's layout) the first one counts.
    """
    seen: set[str] = set()
    for language, layout in settings.languages.items():
        if layout.folder in seen or (languages and language not in languages):
            continue
        seen.add(layout.folder)
        manifest = choose_builder(builders, layout.builder).definition.manifest
        for name in tree.folders_in(layout.folder):
            if tree.file(f"{layout.folder_of(name)}/{manifest}"):
                yield Release(language, name)


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
            raise _no_match(pattern, request.languages, found, tuple(list_plugins(tree, settings, builders)))
    return _matching(patterns, found)


def find_twins(releases: Iterable[Release], settings: RepositorySettings) -> Mapping[tuple[str, str], SourceError]:
    """Return by language and name why a plugin is refused whose name another one has: they would share one image.

    None of them is published: which of them gateways get by that name is for people to decide.
    """
    alike: dict[str, list[Release]] = defaultdict(list)
    for release in releases:
        alike[release.name].append(release)
    return {
        (release.language, name): _twin_error(name, twins, settings)
        for name, twins in alike.items()
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


def _twin_error(name: str, twins: list[Release], settings: RepositorySettings) -> SourceError:
    folders = " and ".join(settings.languages[twin.language].folder_of(name) for twin in twins)
    return SourceError(
        f"{folders} would be published under one name",
        subject=f"plugin {name}",
        remedy=f"rename one, or publish by language (languages: {twins[0].language}), each to registries of its own",
    )
