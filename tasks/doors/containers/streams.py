"""What goes into a build and what comes out, as tar streams: the engine may be on another machine."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from pluginyard.buildfailures import output_error
from pluginyard.recipes import BuiltModule, Recipe
from tasks.doors.containers.hardening import NOBODY

BLOCK = 1024 * 1024
# A build writes below these; the volume's top may be root's.
FOLDERS = ("src", "out", "tmp", "home", "cache", "fetched", "builder")


def pack_work(context: Path, scripts: Mapping[str, bytes]) -> IO[bytes]:
    """Return a tar of the whole of a build's root: the source, the builder's scripts, empty folders.

    Everything belongs to the build's user and has one time: bytes must not depend on either.
    """
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as work:
        for folder in FOLDERS:
            work.addfile(_owned(tarfile.TarInfo(folder), tarfile.DIRTYPE, 0o755))
        for path, content in sorted(scripts.items()):
            script = _owned(tarfile.TarInfo(f"builder/{path}"), tarfile.REGTYPE, 0o755)
            script.size = len(content)
            work.addfile(script, io.BytesIO(content))
        _copy_source(context, work)
    packed.seek(0)
    return packed


def _copy_source(context: Path, work: tarfile.TarFile) -> None:
    folders: set[str] = set()
    with tarfile.open(context, "r:") as source:
        for member in source:
            if not (member.isreg() or member.issym() or member.isdir()):
                continue
            # The engine creates a missing parent as root's, and a build may write beside its source.
            for parent in list(Path(member.name).parents)[-2::-1]:
                _add_folder(work, str(parent), folders)
            if member.isdir():
                _add_folder(work, member.name, folders)
                continue
            content = source.extractfile(member) if member.isreg() else None
            member.name = f"src/{member.name}"
            work.addfile(_owned(member, member.type, 0o755 if member.mode & 0o111 else 0o644), content)


def _add_folder(work: tarfile.TarFile, path: str, known: set[str]) -> None:
    path = path.strip("/")
    if path in known or path in ("", "."):
        return
    known.add(path)
    work.addfile(_owned(tarfile.TarInfo(f"src/{path}"), tarfile.DIRTYPE, 0o755))


def _owned(member: tarfile.TarInfo, kind: bytes, mode: int) -> tarfile.TarInfo:
    member.type, member.mode, member.mtime = kind, mode, 0
    member.uid = member.gid = NOBODY
    member.uname = member.gname = ""
    member.pax_headers = {}
    return member


class _Joined:
    """Read an iterator of blocks as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, or fewer at the end."""
        while len(self._rest) < count:
            block = next(self._blocks, b"")
            if not block:
                break
            self._rest += block
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


def unpack_module(blocks: Iterator[bytes], recipe: Recipe, target: Path) -> BuiltModule:
    """Write the one regular file of the tar in `blocks` to `target` at once, and return it.

    Raises BuildError for a link, a folder or a file above the limit: what lies at the output's
    place is the plugin's doing.
    """
    with tarfile.open(fileobj=cast(IO[bytes], _Joined(blocks)), mode="r|") as archive:
        member = archive.next()
        if member is None or not member.isreg():
            raise output_error(recipe, f"is {_kind(member)}")
        if member.size > recipe.limits.module_bytes:
            raise output_error(recipe, f"is {member.size} bytes long")
        content = archive.extractfile(member)
        assert content is not None  # noqa: S101 - a regular member has content
        return store_module(content, recipe, target)


def _kind(member: tarfile.TarInfo | None) -> str:
    if member is None:
        return "missing"
    if member.isdir():
        return "a folder"
    return f"a link to {member.linkname}" if member.issym() or member.islnk() else "no regular file"


def store_module(content: IO[bytes], recipe: Recipe, target: Path) -> BuiltModule:
    """Write `content` to `target` at once, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            while block := content.read(BLOCK):
                digest.update(block)
                size += file.write(block)
        Path(part).chmod(0o644)
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return BuiltModule(str(target), f"sha256:{digest.hexdigest()}", size, recipe.toolchain, recipe.kind)
