"""Stream what a build may read out of a repository."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from pluginyard.errors import SourceError
from pluginyard.sources import EXECUTABLE, LINK, Source, SourceFile
from tasks.doors.sources.objects import CommitReader

# The user inside the containers; the tar carries it so that no chown is needed there.
_OWNER = 65534
LARGEST_FILE = 256 * 1024 * 1024
LARGEST_CONTEXT = 16 * LARGEST_FILE
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"


def context_size(source: Source, files: Iterable[SourceFile]) -> int:
    """Return the bytes of all `files` together; raise SourceError for one that this repository lacks."""
    with CommitReader(source) as commit:
        return commit.size_of(files)


def write_context(source: Source, files: Iterable[SourceFile], target: Path) -> None:
    """Write `files` as an uncompressed tar of repository-relative paths, owned by the build's user.

    Raises SourceError for more than anybody compiles, and for a Git LFS pointer: the compiler would read the pointer,
    not the file.
    """
    wanted = tuple(files)
    if (size := context_size(source, wanted)) > LARGEST_CONTEXT:
        said = f"what the compiler reads has {size:,} bytes, and {LARGEST_CONTEXT:,} are copied at most"
        raise SourceError(said, subject=source.repository, remedy="move what is not compiled out of the plugin")
    with (
        CommitReader(source) as commit,
        target.open("wb") as output,
        tarfile.open(fileobj=output, mode="w|") as tar,
    ):
        folders: set[str] = set()
        for file in wanted:
            _add_folders(tar, file.path, folders)
            tar.addfile(*_member(file, commit.read(file, LARGEST_FILE)))


def _add_folders(tar: tarfile.TarFile, path: str, done: set[str]) -> None:
    """Add the folders above `path`, so that the build's user owns them and may write beside the sources."""
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        if name not in done:
            done.add(name)
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, _OWNER, _OWNER
            tar.addfile(folder)


def _member(file: SourceFile, content: bytes) -> tuple[tarfile.TarInfo, IO[Any] | None]:
    member = tarfile.TarInfo(file.path)
    member.uid = member.gid = _OWNER
    if file.mode == LINK:
        member.type, member.linkname = tarfile.SYMTYPE, content.decode("utf-8", "surrogateescape")
        return member, None
    if content.startswith(_LFS_POINTER) and len(content) < 1024:
        raise SourceError(
            "a Git LFS pointer, not the file itself", subject=file.path, remedy="commit the file without LFS"
        )
    member.size, member.mode = len(content), 0o755 if file.mode == EXECUTABLE else 0o644
    return member, io.BytesIO(content)
