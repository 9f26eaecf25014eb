"""A commit as found: its files, its documents, its tags."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

REGULAR, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"


@dataclass(frozen=True)
class SourceFile:
    """Name one file of a commit: repository-relative path, git mode, blob id."""

    path: str
    mode: str
    blob: str

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return posixpath.basename(self.path)


class SourceTree:
    """List every file of one commit; look-ups by path and by folder are by bisection."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self.files = tuple(sorted(files, key=lambda file: file.path))
        self._paths = [file.path for file in self.files]
        self._manifests: dict[str, tuple[str, ...]] = {}
        self._packages: dict[tuple[str, str], tuple[SourceFile, ...]] = {}

    def file(self, path: str) -> SourceFile | None:
        """Return the file at `path`, or None."""
        place = bisect_left(self._paths, path)
        return self.files[place] if place < len(self.files) and self._paths[place] == path else None

    def below(self, folder: str) -> tuple[SourceFile, ...]:
        """Return the files below `folder` (the whole tree for an empty one)."""
        start, end = self._range(folder)
        return self.files[start:end]

    def packages_below(self, folder: str, manifest: str) -> tuple[str, ...]:
        """Return the folders below `folder` that have `manifest`, in the order of the files."""
        if manifest not in self._manifests:
            found = tuple(posixpath.dirname(file.path) for file in self.files if file.name == manifest)
            self._manifests[manifest] = tuple(sorted(found, key=lambda path: f"{path}/"))
        known = self._manifests[manifest]
        start, end = (bisect_left(known, edge, key=lambda path: f"{path}/") for edge in (f"{folder}/", f"{folder}0"))
        return known[start:end] if folder else known

    def package(self, folder: str, manifest: str) -> tuple[SourceFile, ...]:
        """Return the files below `folder` without the packages nested in it: further folders that have `manifest`.

        Remembered: where plugins depend on the package that they are nested in, as Higress's do, each asks for it.
        """
        key = folder, manifest
        if key not in self._packages:
            self._packages[key] = tuple(self._without_nested(folder, manifest))
        return self._packages[key]

    def _without_nested(self, folder: str, manifest: str) -> Iterator[SourceFile]:
        start, end = self._range(folder)
        for nested in self.packages_below(folder, manifest):
            first, after = self._range(nested)
            if nested != folder and first >= start:
                yield from self.files[start:first]
                start = after
        yield from self.files[start:end]

    def _range(self, folder: str) -> tuple[int, int]:
        """Return where the files below `folder` begin and end."""
        if not folder:
            return 0, len(self.files)
        # "0" is the character after "/": everything below the folder stands between the two.
        return bisect_left(self._paths, f"{folder}/"), bisect_left(self._paths, f"{folder}0")

    def folders_in(self, folder: str) -> tuple[str, ...]:
        """Return the names of the folders directly in `folder`."""
        start = len(folder) + 1 if folder else 0
        parts = (file.path[start:].partition("/") for file in self.below(folder))
        return tuple(sorted({name for name, slash, _ in parts if slash}))


@dataclass(frozen=True)
class Source:
    """Pin a repository to one commit; `git_folder` is where its objects are read."""

    repository: str
    git_folder: str
    commit: str
    commit_time: int
    """Seconds since the epoch, UTC: the `created` time of what is built from it."""


class Commit(Protocol):
    """Give a commit as found: what it is pinned to, its files, and the content of each."""

    @property
    def source(self) -> Source: ...  # noqa: D102 - the class says it

    @property
    def tree(self) -> SourceTree: ...  # noqa: D102 - the class says it

    def read(self, file: SourceFile, /) -> bytes: ...  # noqa: D102 - the class says it


@dataclass(frozen=True)
class Document:
    """Name a file that becomes a layer of its own: spec, README, icon."""

    title: str
    media_type: str
    file: SourceFile


@dataclass(frozen=True)
class SourceTag:
    """Pin a tag of a repository to its commit."""

    name: str
    source: Source
    tagged: int
    """Seconds since the epoch, UTC: when an annotated tag was made; the commit's time for a plain one."""
