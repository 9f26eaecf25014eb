"""A plugin in three tenses: `Plugin` as found, `PluginBuild` as planned, `PublishedPlugin` as done."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pluginyard.oci import Descriptor
from pluginyard.releases import Release

REGULAR, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"


@dataclass(frozen=True)
class SourceFile:
    """Name one file of a commit: repository-relative path, git mode, blob id, size in bytes."""

    path: str
    mode: str
    blob: str
    size: int = 0

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return posixpath.basename(self.path)


@dataclass(frozen=True)
class SourceTree:
    """List every file of one commit; look-ups by path and by folder."""

    files: tuple[SourceFile, ...]
    _by_path: dict[str, SourceFile] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_path.update({file.path: file for file in self.files})

    def file(self, path: str) -> SourceFile | None:
        """Return the file at `path`, or None."""
        return self._by_path.get(path)

    def below(self, folder: str) -> tuple[SourceFile, ...]:
        """Return the files below `folder` (the whole tree for an empty one)."""
        prefix = f"{folder}/" if folder else ""
        return tuple(file for file in self.files if file.path.startswith(prefix))

    def folders_in(self, folder: str) -> tuple[str, ...]:
        """Return the names of the folders directly in `folder`."""
        prefix = f"{folder}/" if folder else ""
        names = {
            file.path[len(prefix) :].partition("/")[0]
            for file in self.below(folder)
            if "/" in file.path[len(prefix) :]
        }
        return tuple(sorted(names))


@dataclass(frozen=True)
class Source:
    """Pin a repository to one commit; `git_folder` is where its objects are read."""

    repository: str
    git_folder: str
    commit: str
    commit_time: int
    """Seconds since the epoch, UTC: the `created` time of what is built from it."""


@dataclass(frozen=True)
class Document:
    """Name a file that becomes a layer of its own: spec, README, icon."""

    title: str
    media_type: str
    file: SourceFile


@dataclass(frozen=True)
class Plugin:
    """Describe a plugin as it was found at a commit."""

    language: str
    name: str
    folder: str
    builder: str
    context: tuple[SourceFile, ...]
    """Everything the compiler can read; the build sees these files and no others."""
    documents: tuple[Document, ...]
    declared_version: str = ""
    buildrc: str = ""
    has_prebuild: bool = False
    needs_fetch: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PluginBuild:
    """Describe what will be built and where it will go, before anything is done."""

    release: Release
    source: Source
    plugin: Plugin
    fingerprint: str
    builder: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class BuiltLayer:
    """Name a blob on this machine that is ready to be pushed: its descriptor and the file that holds it."""

    descriptor: Descriptor
    path: str


@dataclass(frozen=True)
class PublishedPlugin:
    """Describe what is published: the value behind the report and the JSON output."""

    name: str
    language: str
    version: str
    commit: str
    commit_time: int
    repository: str
    fingerprint: str
    builder: str
    digest: str
    registries: tuple[Mapping[str, Any], ...]
    layers: tuple[Mapping[str, Any], ...]
    verdict: Mapping[str, Any]
    published: bool
    probe: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """Return the reference in the first registry."""
        return str(self.registries[0]["reference"])

    def to_json(self) -> dict[str, Any]:
        """Return the object that `pluginyard publish --output json` prints."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "published": self.published,
            "name": self.name,
            "language": self.language,
            "version": self.version,
            "commit": self.commit,
            "repository": self.repository,
            "fingerprint": self.fingerprint,
            "builder": self.builder,
            "registries": [dict(place) for place in self.registries],
            "layers": [dict(layer) for layer in self.layers],
            "verdict": dict(self.verdict),
            "probe": dict(self.probe) if self.probe else None,
            "notes": list(self.notes),
        }


def total_size(files: Iterable[SourceFile]) -> int:
    """Return the sum of the files' sizes in bytes."""
    return sum(file.size for file in files)
