"""What a compiler can read: the plugin's own folder and every local dependency, wherever it lies.

The build is given these files and no others, so a fingerprint over them cannot miss one: `go:embed`
files lie inside a module, local `replace` and `path` dependencies are followed, links are followed or refused.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from pluginyard.errors import SourceError
from pluginyard.sources.cargo import CARGO_MANIFEST, find_cargo_folders, missing_dependency
from pluginyard.sources.paths import Read, check_name, folders_above, follow_link, link_target, resolve_inside
from pluginyard.sources.tree import LINK, SUBMODULE, SourceFile, SourceTree

# Files above a package that its compiler looks for on its own.
_ABOVE = {
    CARGO_MANIFEST: (
        CARGO_MANIFEST,
        "Cargo.lock",
        ".cargo/config.toml",
        ".cargo/config",
        "rust-toolchain.toml",
        "rust-toolchain",
    )
}


def collect_context(
    tree: SourceTree, folder: str, manifest: str, read: Read, inputs: Iterable[str] = ()
) -> tuple[SourceFile, ...]:
    """Return every file the compiler can read, sorted by path.

    `manifest` is the toolchain's own (`go.mod`, `Cargo.toml`); `inputs` are further paths the
    configuration names. Raises SourceError for a dependency or link that leaves the repository.
    """
    if not tree.file(f"{folder}/{manifest}"):
        raise SourceError(f"the plugin has no {manifest}", subject=folder, remedy=f"add {folder}/{manifest}")
    files = {file.path: file for file in _dependencies(tree, folder, manifest, read)}
    for path in inputs:
        files |= {file.path: file for file in _named(tree, path, folder)}
    for name in _ABOVE.get(manifest, ()):
        files |= {file.path: file for file in _above(tree, folder, name)}
    return tuple(sorted(map(check_name, _with_link_targets(tree, files, read)), key=lambda file: file.path))


def _dependencies(tree: SourceTree, folder: str, manifest: str, read: Read) -> Iterator[SourceFile]:
    """Yield the files of the package in `folder` and of all its local dependencies."""
    if manifest != CARGO_MANIFEST:
        targets = _go_replacements(tree, folder, read) if manifest == "go.mod" else ()
        for package in (folder, *targets):
            yield from _package_files(tree, package, manifest)
        return
    found = find_cargo_folders(tree, folder, read)
    for package in found.packages:
        yield from _package_files(tree, package, manifest)
    for whole in found.whole:
        yield from (file for file in tree.below(whole) if file.mode != SUBMODULE)
    for root in found.roots:
        yield from filter(None, [tree.file(posixpath.join(root, manifest))])


def _go_replacements(tree: SourceTree, folder: str, read: Read) -> Iterator[str]:
    """Yield the folders that replace modules; of the main module only (Go modules reference, "replace")."""
    subject = f"{folder}/go.mod"
    file = tree.file(subject)
    text = read(follow_link(tree, file, read)).decode("utf-8", "replace") if file else ""
    for relative in local_replacements(text):
        target = resolve_inside(folder, relative, subject)
        wanted = posixpath.join(target, "go.mod")
        if not tree.file(wanted):
            raise missing_dependency(relative, "go.mod", subject=subject, wanted=wanted)
        yield target


def local_replacements(text: str) -> tuple[str, ...]:
    """Return the relative paths of the modules that a go.mod replaces with a folder."""
    lines = (line.partition("//")[0] for line in text.splitlines())
    targets = (re.search(r"=>\s*\"?([^\s\"]+)\"?\s*$", line) for line in lines)
    paths = (found[1] for found in targets if found)
    return tuple(path for path in paths if path.startswith(("./", "../", "/")) or path in (".", ".."))


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


def _above(tree: SourceTree, folder: str, name: str) -> Iterator[SourceFile]:
    return filter(None, (tree.file(posixpath.join(parent, name)) for parent in folders_above(folder)))


def _named(tree: SourceTree, path: str, folder: str) -> tuple[SourceFile, ...]:
    target = resolve_inside("", path, folder)
    file = tree.file(target)
    found = (file,) if file else tree.below(target)
    if not found:
        raise SourceError("an input of the configuration is not there", subject=path, remedy="mend `inputs`")
    return found


def _with_link_targets(tree: SourceTree, files: dict[str, SourceFile], read: Read) -> Iterable[SourceFile]:
    """Return `files` and what their links point to; refuse links that leave the repository."""
    waiting = [file for file in files.values() if file.mode == LINK]
    while waiting:
        link = waiting.pop()
        target = link_target(link, read)
        file = tree.file(target)
        for found in (file,) if file else tree.below(target):
            if found.path not in files:
                files[found.path] = found
                waiting += [found] if found.mode == LINK else []
    return files.values()
