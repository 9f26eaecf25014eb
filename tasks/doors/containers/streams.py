"""What goes into a build, as one tar stream: the engine may be on another machine."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tasks.doors.containers.hardening import NOBODY

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
