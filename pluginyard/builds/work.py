"""What lies below a build's root when it begins: its folders, the builder's scripts, the plugin's source."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pluginyard.errors import SourceError
from pluginyard.sources import EXECUTABLE, LINK, SourceFile, link_target

FOLDERS = ("src", "out", "tmp", "home", "cache", "fetched", "builder")
FileContent = tuple[SourceFile, bytes]
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"


@dataclass(frozen=True)
class WorkFile:
    """Name a folder, file, program or link by its path below the root; `content` of a link is where it leads."""

    path: str
    kind: Literal["folder", "file", "program", "link"] = "file"
    content: bytes = b""

    @property
    def mode(self) -> int:
        """Return the permissions."""
        return 0o644 if self.kind == "file" else 0o755


def lay_out_work(
    scripts: Mapping[str, bytes],
    source: Iterable[FileContent],
    prepared: Iterable[FileContent] = (),
) -> Iterator[WorkFile]:
    """Yield all that is below a build's root, folders before what is in them.

    What a script of the plugin has `prepared` replaces files of `source`.
    Raises SourceError for a path that lies outside, lies behind a link or is there twice, for a link that leads
    outside, and for a Git LFS pointer: the compiler would read the pointer, not the file.
    """
    known: dict[str, WorkFile] = {}
    for folder in FOLDERS:
        yield from _with_folders(WorkFile(folder, "folder"), known)
    for path, content in sorted(scripts.items()):
        yield from _with_folders(WorkFile(f"builder/{path}", "program", content), known)
    replaced = set()
    for file, content in prepared:
        replaced.add(file.path)
        yield from _with_folders(_checked(file, content), known)
    for file, content in source:
        if file.path not in replaced:
            yield from _with_folders(_checked(file, content), known)


def _with_folders(item: WorkFile, known: dict[str, WorkFile]) -> Iterator[WorkFile]:
    """Yield the folders above `item` that are not `known` yet, so that the build's user owns them, then `item`."""
    if item.path in known:
        raise SourceError("the path is there twice", subject=item.path, remedy="commit the folder again")
    above = posixpath.dirname(item.path)
    if above and above not in known:
        yield from _with_folders(WorkFile(above, "folder"), known)
    elif above and known[above].kind != "folder":
        raise _outside(item.path)
    known[item.path] = item
    yield item


def _checked(file: SourceFile, content: bytes) -> WorkFile:
    if posixpath.normpath(file.path) != file.path or file.path.startswith(("/", "../")) or file.path in (".", ".."):
        raise _outside(file.path)
    if file.mode == LINK:
        link_target(file, lambda _: content)
        return WorkFile(f"src/{file.path}", "link", content)
    if content.startswith(_LFS_POINTER) and len(content) < 1024:
        raise SourceError(
            "a Git LFS pointer, not the file itself", subject=file.path, remedy="commit the file without LFS"
        )
    return WorkFile(f"src/{file.path}", "program" if file.mode == EXECUTABLE else "file", content)


def _outside(path: str) -> SourceError:
    return SourceError("the path leaves the repository", subject=path, remedy="move what it points to inside")
