"""What a compiler can read: the plugin's own folder and every local dependency, wherever it lies.

The build is given these files and no others, so a fingerprint over them cannot miss one: `go:embed`
files lie inside a module, local `replace` and `path` dependencies are followed, links are followed or refused.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from pluginyard.cargo import cargo_paths, parse_toml
from pluginyard.errors import SourceError
from pluginyard.plugins import LINK, SUBMODULE, SourceFile, SourceTree

Read = Callable[[SourceFile], bytes]
# Files above a package that its compiler looks for on its own.
_ABOVE = {
    "Cargo.toml": (
        "Cargo.toml",
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
    files: dict[str, SourceFile] = {}
    for package in _packages(tree, folder, manifest, read):
        files |= {file.path: file for file in _package_files(tree, package, manifest)}
    for path in inputs:
        files |= {file.path: file for file in _named(tree, path, folder)}
    if manifest == "Cargo.toml" and (root := _cargo_workspace(tree, folder, read)) is not None:
        files |= {file.path: file for file in tree.below(root)}  # cargo loads every member's manifest
    for name in _ABOVE.get(manifest, ()):
        files |= {file.path: file for file in _above(tree, folder, name)}
    return tuple(sorted(_with_link_targets(tree, files, read), key=lambda file: file.path))


def _packages(tree: SourceTree, folder: str, manifest: str, read: Read) -> list[str]:
    """Return `folder` and the folders of all its local dependencies, breadth first."""
    found = [folder]
    for package in found:  # grows while it is read
        file = tree.file(posixpath.join(package, manifest))
        text = read(file).decode("utf-8", "replace") if file else ""
        for relative in local_dependencies(manifest, text, subject=posixpath.join(package, manifest)):
            target = _inside(package, relative, posixpath.join(package, manifest))
            if not tree.file(posixpath.join(target, manifest)):
                raise SourceError(
                    f"depends on {relative}, where there is no {manifest}",
                    subject=posixpath.join(package, manifest),
                    remedy=f"commit {posixpath.join(target, manifest)} or mend the path",
                )
            if target not in found:
                found.append(target)
        if manifest == "go.mod":
            break  # Go reads the `replace` lines of the main module only (Go modules reference, "replace")
    return found


def local_dependencies(manifest: str, text: str, *, subject: str) -> tuple[str, ...]:
    """Return the relative paths of the local dependencies that a go.mod or Cargo.toml names."""
    if manifest == "go.mod":
        return _go_replacements(text)
    if manifest == "Cargo.toml":
        return cargo_paths(parse_toml(text, subject=subject), subject=subject)
    return ()


def _go_replacements(text: str) -> tuple[str, ...]:
    lines = (line.partition("//")[0] for line in text.splitlines())
    targets = (re.search(r"=>\s*\"?([^\s\"]+)\"?\s*$", line) for line in lines)
    paths = (found[1] for found in targets if found)
    return tuple(path for path in paths if path.startswith(("./", "../", "/")) or path in (".", ".."))


def _cargo_workspace(tree: SourceTree, folder: str, read: Read) -> str | None:
    """Return the folder of the workspace that governs `folder`, unless the plugin is one itself."""
    own = tree.file(posixpath.join(folder, "Cargo.toml"))
    if own and b"[workspace]" in read(own):
        return None
    for file in _above(tree, folder, "Cargo.toml"):
        if re.search(rb"(?m)^\s*\[workspace[\].]", read(file)):
            return posixpath.dirname(file.path)
    return None


def _package_files(tree: SourceTree, package: str, manifest: str) -> Iterator[SourceFile]:
    """Yield the files of a package: its folder without the packages nested in it.

    Go's module boundary and Cargo's package boundary alike; a plugin nested in its dependency
    (`path = "../../"`) is a package of its own.
    """
    for file in tree.package(package, manifest):
        if file.mode == SUBMODULE:
            raise SourceError(
                "a submodule lies in what the compiler reads",
                subject=file.path,
                remedy="vendor its files, or move it out of the plugin",
            )
        yield file


def _above(tree: SourceTree, folder: str, name: str) -> Iterator[SourceFile]:
    parent = posixpath.dirname(folder)
    while True:
        if file := tree.file(posixpath.join(parent, name)):
            yield file
        if not parent:
            return
        parent = posixpath.dirname(parent)


def _named(tree: SourceTree, path: str, folder: str) -> tuple[SourceFile, ...]:
    target = _inside("", path, folder)
    file = tree.file(target)
    found = (file,) if file else tree.below(target)
    if not found:
        raise SourceError("an input of the configuration is not there", subject=path, remedy="mend `inputs`")
    return found


def _inside(folder: str, relative: str, subject: str) -> str:
    """Return `relative` resolved against `folder`; raise SourceError where it leaves the repository."""
    target = posixpath.normpath(posixpath.join(folder, relative))
    if relative.startswith("/") or target == ".." or target.startswith("../"):
        raise SourceError(
            f"{relative} leaves the repository",
            subject=subject,
            remedy="move what it points to into the repository",
        )
    return "" if target == "." else target


def _with_link_targets(tree: SourceTree, files: dict[str, SourceFile], read: Read) -> Iterable[SourceFile]:
    """Return `files` and what their links point to; refuse links that leave the repository."""
    waiting = [file for file in files.values() if file.mode == LINK]
    while waiting:
        link = waiting.pop()
        target = _inside(posixpath.dirname(link.path), read(link).decode("utf-8", "replace"), link.path)
        file = tree.file(target)
        for found in (file,) if file else tree.below(target):
            if found.path not in files:
                files[found.path] = found
                waiting += [found] if found.mode == LINK else []
    return files.values()
