"""What a compiler can read: the plugin's own folder and every local dependency, wherever it lies.

The build is given these files and no others, so a fingerprint over them cannot miss one: `go:embed`
files lie inside a module, local `replace` and `path` dependencies are followed, links are followed or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pluginyard.errors import SourceError
from pluginyard.sources.cargo import CARGO_MANIFEST, find_cargo_dependencies
from pluginyard.sources.go_modules import GO_MANIFEST, find_go_dependencies
from pluginyard.sources.manifests import LocalDependencies, Manifests
from pluginyard.sources.paths import Read, check_name, folders_above, link_target, resolve_inside
from pluginyard.sources.tree import LINK, SUBMODULE, SourceFile, SourceTree

# A toolchain with local dependencies: one file beside this one, and a row here.
_READERS: Mapping[str, Callable[[Manifests, str], LocalDependencies]] = {
    CARGO_MANIFEST: find_cargo_dependencies,
    GO_MANIFEST: find_go_dependencies,
}
_MOST_LINKED = 1_000_000
"""Files that are looked at because links lead to their folders."""


@dataclass(frozen=True)
class Context:
    """Hold every file the compiler can read, sorted by path, and what the toolchain must be given to find them."""

    files: tuple[SourceFile, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs_fetch: bool = False
    notes: tuple[str, ...] = ()


def collect_context(tree: SourceTree, folder: str, manifest: str, read: Read, inputs: Iterable[str] = ()) -> Context:
    """Return what the compiler can read of the plugin in `folder`.

    `manifest` is the toolchain's own (`go.mod`, `Cargo.toml`); `inputs` are further paths the
    configuration names. Raises SourceError for a dependency or link that leaves the repository.
    """
    if not tree.file(f"{folder}/{manifest}"):
        raise SourceError(f"the plugin has no {manifest}", subject=folder, remedy=f"add {folder}/{manifest}")
    find = _READERS.get(manifest)
    found = find(Manifests(tree, read), folder) if find else LocalDependencies((folder,))
    named = [_named(tree, path, folder) for path in inputs]
    files = {
        file.path: file for package in dict.fromkeys(found.packages) for file in _package_files(tree, package, manifest)
    }
    files |= {file.path: file for path in (*found.files, *named) if (file := tree.file(path))}
    for whole in _outermost([*found.whole, *named]):
        files |= {file.path: file for file in tree.below(whole) if file.mode != SUBMODULE}
    every = sorted(map(check_name, _with_link_targets(tree, files, read)), key=lambda file: file.path)
    return Context(tuple(every), found.environment, found.needs_fetch, found.notes)


def _package_files(tree: SourceTree, package: str, manifest: str) -> Iterator[SourceFile]:
    """Yield the files of a package: its folder without the packages nested in it.

    Go's module boundary and Cargo's package boundary alike; a plugin nested in its dependency
    (`path = "../../"`) is a package of its own.
    """
    for file in map(check_name, tree.package(package, manifest)):
        if file.mode == SUBMODULE:
            raise SourceError(
                "a submodule lies in what the compiler reads",
                subject=file.path,
                remedy="vendor its files, or move it out of the plugin",
            )
        yield file


def _named(tree: SourceTree, path: str, folder: str) -> str:
    """Return the path of a file or folder that the configuration names."""
    target = resolve_inside("", path, folder)
    if tree.file(target) or tree.below(target):
        return target
    raise SourceError("an input of the configuration is not there", subject=path, remedy="fix `inputs`")


def _outermost(folders: Iterable[str]) -> Iterator[str]:
    """Yield the folders that lie in none of the others, each once."""
    known = set(folders)
    return (folder for folder in known if not known.intersection(folders_above(folder)))


def _with_link_targets(tree: SourceTree, files: dict[str, SourceFile], read: Read) -> Iterable[SourceFile]:
    """Return `files` and what their links point to; refuse links that leave the repository."""
    waiting = [file for file in files.values() if file.mode == LINK]
    taken, looked = set[str](), 0
    while waiting:
        target = link_target(link := waiting.pop(), read)
        if taken.intersection((target, *folders_above(target))):
            continue
        taken.add(target)
        file = tree.file(target)
        found = (file,) if file else tree.below(target)
        if (looked := looked + len(found)) > _MOST_LINKED:
            raise SourceError("its links lead to ever more folders", subject=link.path, remedy="link to files")
        fresh = [each for each in found if each.path not in files]
        files |= {each.path: each for each in fresh}
        waiting += [each for each in fresh if each.mode == LINK]
    return files.values()
