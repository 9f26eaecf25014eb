"""Which folders of a repository Cargo reads to build one package of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pluginyard.errors import SourceError
from pluginyard.sources.cargo_manifest import (
    CargoManifest,
    CargoWorkspace,
    parse_manifest,
    parse_toml,
    vendored_folders,
)
from pluginyard.sources.paths import Read, folders_above, follow_link, resolve_inside
from pluginyard.sources.tree import SourceTree

CARGO_MANIFEST = "Cargo.toml"
_CONFIGS = (".cargo/config.toml", ".cargo/config")


@dataclass(frozen=True)
class CargoFolders:
    """Name the folders that are read."""

    packages: tuple[str, ...]
    """Of each: its files, without the packages nested in it."""
    whole: tuple[str, ...]
    """Of each: everything below it."""
    roots: tuple[str, ...]
    """Of each: the manifest, for a package inherits from it."""


def find_cargo_folders(tree: SourceTree, folder: str, read: Read) -> CargoFolders:
    """Return what Cargo reads for the package in `folder`: local dependencies, its workspace, vendored crates.

    Raises SourceError for a dependency that is not there, or leaves the repository.
    """
    cargo = _Cargo(tree, read)
    root = cargo.root_of(folder)
    start = [folder, *cargo.members_of(root)] if root is not None else [folder]
    packages, roots = cargo.follow(start)
    governing = () if root in (None, folder) else (root,)
    return CargoFolders(packages, (*governing, *cargo.vendored(folder)), roots)


class _Cargo:
    def __init__(self, tree: SourceTree, read: Read) -> None:
        self._tree, self._read = tree, read

    def manifest(self, folder: str) -> CargoManifest | None:
        """Return the manifest in `folder`, or None."""
        path = posixpath.join(folder, CARGO_MANIFEST)
        text = self._text(path)
        return None if text is None else parse_manifest(text, path)

    def root_of(self, package: str) -> str | None:
        """Return the folder of the workspace that governs `package`: itself, the one it names, the nearest above."""
        own = self.manifest(package)
        if own and own.workspace:
            return package
        if own and own.root:
            return resolve_inside(package, own.root, posixpath.join(package, CARGO_MANIFEST))
        for above in folders_above(package):
            found = self.manifest(above)
            if found and found.workspace and not _is_excluded(package, above, found.workspace):
                return above
        return None

    def members_of(self, root: str) -> Iterator[str]:
        """Yield the packages that Cargo loads with a workspace: all members, whichever is built."""
        found = self.manifest(root)
        if not found or not found.workspace:
            return
        if found.is_package:
            yield root
        for member in found.workspace.members:
            for folder in self._matching(_joined(root, member)):
                if not _is_excluded(folder, root, found.workspace):
                    yield folder

    def follow(self, start: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the packages in `start` and all their local dependencies, and the workspaces they inherit from."""
        packages, roots = dict.fromkeys(start), dict[str, None]()
        waiting = list(packages)
        for package in waiting:  # grows while it is read
            manifest = self.manifest(package) or CargoManifest()
            targets = [self._dependency(package, path) for path in manifest.paths]
            if manifest.inherits and (root := self.root_of(package)) is not None:
                roots[root] = None
                governing = self.manifest(root)
                known = governing.workspace.paths if governing and governing.workspace else {}
                targets += [self._dependency(root, known[name]) for name in manifest.inherited if name in known]
            waiting += [target for target in dict.fromkeys(targets) if target not in packages]
            packages |= dict.fromkeys(targets)
        return tuple(packages), tuple(roots)

    def vendored(self, folder: str) -> Iterator[str]:
        """Yield the folders of vendored crates that apply in `folder`: Cargo's configuration goes up the parents."""
        for place in (folder, *folders_above(folder)):
            for path in (posixpath.join(place, name) for name in _CONFIGS):
                if (text := self._text(path)) is not None:
                    for relative in vendored_folders(parse_toml(text, subject=path)):
                        yield resolve_inside(place, relative, path)

    def _dependency(self, folder: str, relative: str) -> str:
        subject = posixpath.join(folder, CARGO_MANIFEST)
        target = resolve_inside(folder, relative, subject)
        wanted = posixpath.join(target, CARGO_MANIFEST)
        if not self._tree.file(wanted):
            raise missing_dependency(relative, CARGO_MANIFEST, subject=subject, wanted=wanted)
        return target

    def _matching(self, pattern: str) -> Iterator[str]:
        """Yield the folders with a manifest that fit `pattern`, in which `*` stays within one part of a path."""
        if self._tree.file(posixpath.join(pattern, CARGO_MANIFEST)):
            yield pattern
            return
        prefix = posixpath.dirname(re.split(r"[*?[]", pattern, maxsplit=1)[0])
        for file in self._tree.below(prefix):
            folder = posixpath.dirname(file.path)
            depth_fits = "**" in pattern or folder.count("/") == pattern.count("/")
            if file.name == CARGO_MANIFEST and depth_fits and fnmatchcase(folder, pattern):
                yield folder

    def _text(self, path: str) -> str | None:
        file = self._tree.file(path)
        return self._read(follow_link(self._tree, file, self._read)).decode("utf-8", "replace") if file else None


def missing_dependency(relative: str, manifest: str, *, subject: str, wanted: str) -> SourceError:
    """Return the error for a local dependency that has no manifest."""
    return SourceError(
        f"depends on {relative}, where there is no {manifest}",
        subject=subject,
        remedy=f"commit {wanted} or mend the path",
    )


def _is_excluded(package: str, root: str, workspace: CargoWorkspace) -> bool:
    excluded = [_joined(root, path) for path in workspace.exclude]
    return any(package == path or package.startswith(f"{path}/") for path in excluded)


def _joined(folder: str, relative: str) -> str:
    path = posixpath.normpath(posixpath.join(folder, relative))
    return "" if path == "." else path
