"""Which folders of a repository Cargo reads to build one package of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache

from pluginyard.errors import SourceError
from pluginyard.sources.cargo_manifest import (
    CargoManifest,
    CargoWorkspace,
    parse_manifest,
    parse_toml,
    vendored_folders,
)
from pluginyard.sources.manifests import LocalDependencies, Manifests, missing_dependency
from pluginyard.sources.paths import folders_above, resolve_inside

CARGO_MANIFEST = "Cargo.toml"
_CONFIGS = (".cargo/config.toml", ".cargo/config")
# Files above a package that Cargo looks for on its own.
_ABOVE = (CARGO_MANIFEST, "Cargo.lock", *_CONFIGS, "rust-toolchain.toml", "rust-toolchain")
_MOST_MATCHES = 100_000
_MOST_STARS = 10


def find_cargo_dependencies(manifests: Manifests, folder: str) -> LocalDependencies:
    """Return what Cargo reads for the package in `folder`: local dependencies, its workspace, vendored crates.

    Raises SourceError for a dependency that is not there, or leaves the repository.
    """
    cargo = _Cargo(manifests)
    root = cargo.root_of(folder)
    start = [folder, *cargo.members_of(root)] if root is not None else [folder]
    packages, roots = cargo.follow(start)
    governing = () if root in (None, folder) else (root,)
    above = (posixpath.join(parent, name) for parent in folders_above(folder) for name in _ABOVE)
    # A package inherits from its workspace by the manifest there.
    inherited = (posixpath.join(each, CARGO_MANIFEST) for each in roots)
    return LocalDependencies(packages, (*governing, *cargo.vendored(folder)), (*inherited, *above))


class _Cargo:
    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests
        self._matched = 0

    def manifest(self, folder: str) -> CargoManifest | None:
        """Return the manifest in `folder`, or None."""
        path = posixpath.join(folder, CARGO_MANIFEST)
        text = self._manifests.text(path)
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
                if (text := self._manifests.text(path)) is not None:
                    for relative in vendored_folders(parse_toml(text, subject=path)):
                        yield resolve_inside(place, relative, path)

    def _dependency(self, folder: str, relative: str) -> str:
        subject = posixpath.join(folder, CARGO_MANIFEST)
        target = resolve_inside(folder, relative, subject)
        wanted = posixpath.join(target, CARGO_MANIFEST)
        if not self._manifests.tree.file(wanted):
            raise missing_dependency(relative, CARGO_MANIFEST, subject=subject, wanted=wanted)
        return target

    def _matching(self, pattern: str) -> Iterator[str]:
        """Yield the folders with a manifest that fit `pattern`, in which `*` stays within one part of a path."""
        tree = self._manifests.tree
        if tree.file(posixpath.join(pattern, CARGO_MANIFEST)):
            yield pattern
            return
        if not (wildcard := re.search(r"[*?[]", pattern)):
            return
        folders = tree.packages_below(posixpath.dirname(pattern[: wildcard.start()]), CARGO_MANIFEST)
        self._matched += len(folders)
        if self._matched > _MOST_MATCHES or pattern.count("*") > _MOST_STARS:
            raise SourceError("a workspace names its members too loosely", subject=pattern, remedy="name folders")
        for folder in folders:
            depth_fits = "**" in pattern or folder.count("/") == pattern.count("/")
            if depth_fits and fnmatchcase(folder, pattern):
                yield folder


def _is_excluded(package: str, root: str, workspace: CargoWorkspace) -> bool:
    return not _excluded(root, workspace.exclude).isdisjoint((package, *folders_above(package)))


@lru_cache(maxsize=64)
def _excluded(root: str, listed: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_joined(root, path) for path in listed)


def _joined(folder: str, relative: str) -> str:
    path = posixpath.normpath(posixpath.join(folder, relative))
    return "" if path == "." else path
