"""What is to be verified, and what was seen of it: plugins and their versions in each destination."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from operator import attrgetter
from posixpath import basename

from pluginyard.audits.records import Record
from pluginyard.builds import Builder
from pluginyard.errors import PluginyardError, RequestError, SourceError
from pluginyard.forms import VerifyRequest
from pluginyard.oci import Destination
from pluginyard.releases import (
    Release,
    choose_destinations,
    find_place,
    image_name,
    list_plugins,
    nearest_names,
    parse_release_tag,
    parse_version_file,
)
from pluginyard.settings import Gateway, RepositorySettings, Site
from pluginyard.sources import Commit, SourceTag
from pluginyard.versions import find_semver

# The version of a plugin that declares none: commit time and commit (pluginyard.releases.tag.version_of_commit).
_OF_COMMIT = re.compile(r"\d{8}-\d{6}-[0-9a-f]{7}")


@dataclass(frozen=True)
class SourcePlugin:
    """Hold what its repository says of a plugin; nothing but the name where no repository is read."""

    name: str
    declared_version: str = ""
    releases: Mapping[str, str] = field(default_factory=dict)
    """Commit of the release tag, by version: the newest ones."""


@dataclass(frozen=True)
class Scope:
    """Say what is verified, where, and what for."""

    plugins: tuple[SourcePlugin, ...]
    destinations: tuple[Destination, ...]
    gateways: tuple[Gateway, ...]
    repository: str = ""
    follows_latest: bool = True

    def with_recorded(self, patterns: Collection[str], records: Iterable[Record]) -> Scope:
        """Return the scope with the plugins that the repository had once: what was published stays published."""
        if not self.repository:
            return self
        known = {plugin.name for plugin in self.plugins}
        once = {name for record in records for name in record.plugins_of(self.repository)} - known
        asked = sorted(name for name in once if any(fnmatchcase(name, pattern) for pattern in patterns))
        return replace(self, plugins=(*self.plugins, *map(SourcePlugin, asked)))


@dataclass(frozen=True)
class SeenVersion:
    """Hold what a registry has under one tag."""

    tag: str
    digest: str = ""
    """Empty where there is no manifest that could be read."""
    revision: str = ""
    version: str = ""
    """The commit and the version that the manifest's annotations name."""
    loads: tuple[str, ...] = ()
    faults: str = ""
    judged: int = 0
    """The verdict: gateways that load it, rules of level E it breaks, and when it was pulled for that (0: not)."""
    damage: str = ""
    """What is missing or wrong of the bytes that the digest names."""


@dataclass(frozen=True)
class SeenPlugin:
    """Hold what was seen of one plugin in one destination."""

    place: Destination
    name: str
    tags: tuple[str, ...] = ()
    versions: tuple[SeenVersion, ...] = ()
    latest: SeenVersion | None = None
    error: PluginyardError | None = None
    """Why it could not be looked at."""

    def reference(self, tag: str) -> str:
        """Return the text of the plugin's reference at `tag` here."""
        return self.place.reference_to(self.name, tag)

    @property
    def by_tag(self) -> Mapping[str, SeenVersion]:
        """Return the versions that were looked into, by tag."""
        return {seen.tag: seen for seen in self.versions}


def choose_scope(
    request: VerifyRequest, site: Site, settings: RepositorySettings, known: Mapping[str, SourcePlugin], repository: str
) -> Scope:
    """Return what is verified: the plugins that are asked for, of those that the repository has (`known`)."""
    names = choose_names(request.plugins, known)
    return Scope(
        plugins=tuple(known.get(name, SourcePlugin(name)) for name in names),
        destinations=choose_destinations(request, site, settings),
        gateways=tuple(request.gateways) or settings.gateways,
        repository=repository,
        follows_latest=settings.latest == "forward",
    )


def choose_names(patterns: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the plugins that are asked for: a name stands for itself, a pattern for those of `known` it matches.

    A plugin that is published below a path goes by its name without it, too. Raises RequestError for a pattern that
    matches none.
    """
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matching = [name for name in known if fnmatchcase(name, pattern) or fnmatchcase(basename(name), pattern)]
        if not set(pattern) & set("*?["):
            matching = [pattern] if pattern in known or not matching else matching
        if not matching:
            remedy = nearest_names(pattern, known) if known else "name a repository, or the plugins without wildcards"
            raise RequestError("matches no plugin", subject=pattern, remedy=remedy)
        chosen.update(dict.fromkeys(matching))
    return tuple(chosen)


def newest_versions(tags: Iterable[str], count: int) -> tuple[str, ...]:
    """Return the newest `count` versions among `tags` (0: all), the newest stable one always; other tags may move.

    Versions that are named after commits are counted by themselves.
    """
    known = tuple(dict.fromkeys(tags))
    numbered = sorted((version for tag in known if (version := find_semver(tag))), reverse=True)
    of_commits = sorted((tag for tag in known if _OF_COMMIT.fullmatch(tag)), reverse=True)
    chosen = numbered[: count or None]
    stable = next((version for version in numbered if version.is_stable), None)
    if stable is not None and stable not in chosen:
        chosen.append(stable)
    return (*map(str, chosen), *of_commits[: count or None])


def read_source_plugins(
    commit: Commit,
    tags: Iterable[SourceTag],
    settings: RepositorySettings,
    builders: Mapping[str, Builder],
    count: int,
) -> dict[str, SourcePlugin]:
    """Return what a repository says of its plugins at `commit`; a VERSION file that cannot be read says nothing."""

    def name_of(release: Release) -> str:
        return image_name(commit.tree, release, settings, builders)

    def read_version(release: Release) -> str:
        path = f"{find_place(commit.tree, release, settings, builders).folder_of(release.name)}/VERSION"
        file = commit.tree.file(path)
        with suppress(SourceError):
            return parse_version_file(commit.read(file), subject=path) if file else ""
        return ""

    releases = list_plugins(commit.tree, settings, builders)
    return find_source_plugins(releases, tags, read_version, count, name_of)


def find_source_plugins(
    releases: Iterable[Release],
    tags: Iterable[SourceTag],
    read_version: Callable[[Release], str],
    count: int,
    name_of: Callable[[Release], str] = attrgetter("name"),
) -> dict[str, SourcePlugin]:
    """Return what a repository says of its plugins, by name, with their newest `count` release tags.

    `read_version` returns the content of a plugin's VERSION file, `name_of` the name that destinations have. Of two
    plugins of one such name the first counts: both would be published under the same reference.
    """
    commits: dict[str, dict[str, str]] = {}
    for tag in tags:
        with suppress(RequestError):
            tagged = parse_release_tag(tag.name)
            commits.setdefault(name_of(tagged), {})[tagged.version] = tag.source.commit
    found: dict[str, SourcePlugin] = {}
    for release in releases:
        if (name := name_of(release)) not in found:
            own = commits.get(name, {})
            newest = {version: own[version] for version in newest_versions(own, count)}
            found[name] = SourcePlugin(name, read_version(release).strip(), newest)
    return found
