"""What goes into a build, as one tar stream, and the streams of its container: the engine may be on another machine."""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pluginyard.builds import NOBODY

if TYPE_CHECKING:
    from docker import APIClient

# A build writes below these; the volume's top may be root's.
FOLDERS = ("src", "out", "tmp", "home", "cache", "fetched", "builder")
_BLOCK = 1 << 18
Output = Iterator[tuple[bytes | None, bytes | None]]


class FedContainer:
    """Hold the streams of a container on this machine that is handed a tar on its standard input.

    Iterating yields blocks of standard output and of standard error, as the SDK's `attach` does.
    """

    def __init__(self, client: APIClient, container: str) -> None:
        wanted = dict.fromkeys(("stdin", "stdout", "stderr", "stream"), 1)
        self._attached = client.attach_socket(container, params=wanted)
        self._socket: socket.socket = self._attached._sock
        self._socket.settimeout(None)  # a compiler may be silent for long; the step has its own limit

    def __iter__(self) -> Output:
        from docker.utils.socket import STDOUT, frames_iter

        for kind, block in frames_iter(self._socket, tty=False):  # type: ignore[no-untyped-call]  # the SDK has no types here
            yield (block, None) if kind == STDOUT else (None, block)

    @contextlib.contextmanager
    def fed(self, archive: IO[bytes]) -> Iterator[None]:
        """Send `archive` while the block reads what the container says; close it.

        A container that ends before it has read all says why by how it ended.
        """

        def send() -> None:
            with archive, contextlib.suppress(OSError):
                while block := archive.read(_BLOCK):
                    self._socket.sendall(block)

        sender = threading.Thread(target=send, name="feed", daemon=True)
        sender.start()
        try:
            yield
        finally:
            self.close()
            sender.join()

    def close(self) -> None:
        """End both directions: whoever waits for either goes on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._attached.close()


def pack_work(context: Path, scripts: Mapping[str, bytes]) -> IO[bytes]:
    """Return a tar of the whole of a build's root: the source, the builder's scripts, empty folders.

    Everything belongs to the build's user and has one time: bytes must not depend on either.
    """
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as work:
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
