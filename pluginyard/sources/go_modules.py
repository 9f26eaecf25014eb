"""Which folders of a repository Go reads to build one module of it.

Source: Go Modules Reference, "go.mod files", "Workspaces"; their words are separated as in golang.org/x/mod/modfile.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import chain

from pluginyard.sources.manifests import LocalDependencies, Manifests, missing_dependency
from pluginyard.sources.paths import folders_above, resolve_inside

GO_MANIFEST = "go.mod"
_WORKSPACE = "go.work"
_WORD = re.compile(r'"[^"]*"|`[^`]*`|[()]|[^\s"`()]+')


def find_go_dependencies(manifests: Manifests, folder: str) -> LocalDependencies:
    """Return what Go reads for the module in `folder`: modules that replace others, and its workspace.

    The nearest go.work governs it. One that does not list the module is left aside, for Go builds in it only with
    GOWORK=off, as builders set it. Raises SourceError for a module that is not there, or leaves the repository.
    """
    paths = (posixpath.join(root, _WORKSPACE) for root in (folder, *folders_above(folder)))
    path = next((path for path in paths if manifests.tree.file(path)), "")
    used = _used(manifests, path) if path else {}
    if folder not in used:
        notes = (f"{path} does not list {folder}, so it is built without: `go work use` adds it",) if path else ()
        return LocalDependencies((folder, *_replacements(manifests, folder, GO_MANIFEST)), notes=notes)
    for module, relative in used.items():
        _require(manifests, module, subject=path, relative=relative)
    root, replaced = posixpath.dirname(path), [_replacements(manifests, module, GO_MANIFEST) for module in used]
    vendor, sums = posixpath.join(root, "vendor"), (f"{path}.sum", *(posixpath.join(each, "go.sum") for each in used))
    return LocalDependencies(
        packages=(*used, *chain(*replaced), *_replacements(manifests, root, _WORKSPACE)),
        whole=(vendor,) if manifests.tree.file(f"{vendor}/modules.txt") else (),
        files=(path, f"{path}.sum"),
        environment={"GOWORK": f"{{work}}/src/{path}"},
        needs_fetch=any(map(manifests.tree.file, sums)),
    )


def _used(manifests: Manifests, path: str) -> dict[str, str]:
    """Return the folders of the modules that the go.work at `path` lists, each with what it says there."""
    listed = (words[1] for words in _directives(manifests.text(path) or "", "use") if len(words) == 2)
    return {resolve_inside(posixpath.dirname(path), relative, path): relative for relative in listed}


def _replacements(manifests: Manifests, folder: str, name: str) -> Iterator[str]:
    """Yield the folders that replace modules, by the go.mod or go.work in `folder`."""
    subject = posixpath.join(folder, name)
    for relative in local_replacements(manifests.text(subject) or ""):
        target = resolve_inside(folder, relative, subject)
        _require(manifests, target, subject=subject, relative=relative)
        yield target


def _require(manifests: Manifests, module: str, *, subject: str, relative: str) -> None:
    wanted = posixpath.join(module, GO_MANIFEST)
    if not manifests.tree.file(wanted):
        raise missing_dependency(relative, GO_MANIFEST, subject=subject, wanted=wanted)


def local_replacements(text: str) -> tuple[str, ...]:
    """Return the relative paths of the modules that a go.mod replaces with a folder."""
    directives = list(_directives(text, "replace"))
    paths = (words[-1] for words in directives if len(words) > 2 and words[-2] == "=>")
    return tuple(path for path in paths if path.startswith(("./", "../", "/")) or path in (".", ".."))


def _directives(text: str, verb: str) -> Iterator[list[str]]:
    """Yield the words of each directive `verb`, which stands alone in a line or begins a block."""
    block = ""
    for line in text.splitlines():
        words = [word.strip('"`') for word in _WORD.findall(line.partition("//")[0])]
        if words == [")"]:
            block = ""
        elif words[1:] == ["("]:
            block = words[0]
        elif words and (block or words[0]) == verb:
            yield [block, *words] if block else words
