"""A commit as found: its files, its documents, its tags."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
        self._packages: dict[tuple[str, str], tuple[SourceFile, ...]] = {}

    def file(self, path: str) -> SourceFile | None:
        """Return the file at `path`, or None."""
        place = bisect_left(self._paths, path)
        return self.files[place] if place < len(self.files) and self._paths[place] == path else None

    def below(self, folder: str) -> tuple[SourceFile, ...]:
        """Return the files below `folder` (the whole tree for an empty one)."""
        if not folder:
            return self.files
        # "0" is the character after "/": everything below the folder stands between the two.
        return self.files[bisect_left(self._paths, f"{folder}/") : bisect_left(self._paths, f"{folder}0")]

    def package(self, folder: str, manifest: str) -> tuple[SourceFile, ...]:
        """Return the files below `folder` without the packages nested in it: further folders that have `manifest`.

        Remembered: where plugins depend on the package that they are nested in, as Higress's do, each asks for it.
        """
        key = folder, manifest
        if key not in self._packages:
            self._packages[key] = tuple(self._without_nested(folder, manifest))
        return self._packages[key]

    def _without_nested(self, folder: str, manifest: str) -> Iterator[SourceFile]:
        files = self.below(folder)
        nested = {posixpath.dirname(file.path) for file in files if file.name == manifest} - {folder}
        skipped = ""
        for file in files:  # in order, so that a package's files follow one another
            if skipped and file.path.startswith(skipped):
                continue
            skipped = next((f"{parent}/" for parent in _parents(file.path) if parent in nested), "")
            if not skipped:
                yield file

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


@dataclass(frozen=True)
class Document:
    """Name a file that becomes a layer of its own: spec, README, icon."""

    title: str
    media_type: str
    file: SourceFile


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


@dataclass(frozen=True)
class SourceTag:
    """Pin a tag of a repository to its commit."""

    name: str
    source: Source
    tagged: int
    """Seconds since the epoch, UTC: when an annotated tag was made; the commit's time for a plain one."""
