"""Paths within a commit: resolved, followed, never out of the repository."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

from pluginyard.errors import SourceError
from pluginyard.sources.tree import LINK, SourceFile, SourceTree

Read = Callable[[SourceFile], bytes]
_LONGEST_CHAIN = 40  # Linux follows no more


def resolve_inside(folder: str, relative: str, subject: str) -> str:
    """Return `relative` resolved against `folder`; raise SourceError where it leaves the repository."""
    target = posixpath.normpath(posixpath.join(folder, relative))
    if relative.startswith("/") or target == ".." or target.startswith("../"):
        raise SourceError(
            f"{relative} leaves the repository",
            subject=subject,
            remedy="move what it points to into the repository",
        )
    return "" if target == "." else target


def link_target(link: SourceFile, read: Read) -> str:
    """Return the path that a symbolic link leads to; raise SourceError where it leaves the repository."""
    return resolve_inside(posixpath.dirname(link.path), read(link).decode("utf-8", "surrogateescape"), link.path)


def follow_link(tree: SourceTree, file: SourceFile, read: Read) -> SourceFile:
    """Return the file that `file` leads to, `file` itself where it is no link; raise SourceError for a dangling one."""
    found = file
    for _ in range(_LONGEST_CHAIN):
        if found.mode != LINK:
            return found
        target = link_target(found, read)
        following = tree.file(target)
        if following is None:
            raise SourceError(
                f"it is a link to {target}, which is no file of the repository",
                subject=file.path,
                remedy="fix the link, or put the file itself there",
            )
        found = following
    raise SourceError("its links lead in a circle", subject=file.path, remedy="put the file itself there")


def folders_above(folder: str) -> Iterator[str]:
    """Yield the folders above `folder`, the nearest first, the repository's own last."""
    while folder:
        folder = posixpath.dirname(folder)
        yield folder


def check_name(file: SourceFile) -> SourceFile:
    """Return `file`; raise SourceError where its path is not UTF-8."""
    try:
        file.path.encode()
    except UnicodeEncodeError:
        shown = file.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise SourceError("the file's name is not UTF-8", subject=shown, remedy="rename it") from None
    return file
