"""What goes into a build, as one tar stream, and the streams of its container: the engine may be on another machine."""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

from pluginyard.builds import MIB, MODULE_BYTES, NOBODY, FileContent, Recipe, WorkFile, prepared_error
from pluginyard.sources import EXECUTABLE, LINK, REGULAR, SourceFile

if TYPE_CHECKING:
    from docker import APIClient

_BLOCK = 1 << 18
_TYPES = {"folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}
Output = Iterator[tuple[bytes | None, bytes | None]]


class AttachedContainer:
    """Hold the streams of a container on this machine that is sent a tar on its standard input.

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
    def sending(self, archive: IO[bytes]) -> Iterator[None]:
        """Send `archive` while the block reads what the container says; close it.

        A container that ends before it has read all says why by how it ended.
        """

        def send() -> None:
            with archive, contextlib.suppress(OSError):
                while block := archive.read(_BLOCK):
                    self._socket.sendall(block)

        sender = threading.Thread(target=send, name="send work", daemon=True)
        sender.start()
        try:
            yield
        finally:
            self.close()
            sender.join()

    def close(self) -> None:
        """End both directions: a thread that waits for either goes on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._attached.close()


def pack_work(work: Iterable[WorkFile]) -> IO[bytes]:
    """Return a tar of all that is below a build's root, for the caller to close.

    Everything belongs to the build's user and has one time: bytes must not depend on either.
    """
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for item in work:
            member = tarfile.TarInfo(item.path)
            member.type, member.mode = _TYPES.get(item.kind, tarfile.REGTYPE), item.mode
            member.uid = member.gid = NOBODY
            if item.kind == "link":
                member.linkname = item.content.decode("utf-8", "surrogateescape")
            else:
                member.size = len(item.content)
            archive.addfile(member, io.BytesIO(item.content))
    packed.seek(0)
    return packed


def read_prepared(stream: Iterable[bytes], recipe: Recipe) -> Iterator[FileContent]:
    """Yield the files of the tar `stream` of a folder as files of the plugin's folder; the stream is read at once.

    Raises BuildError for more than a module may be long: the files are the doing of the plugin's script.
    """
    spooled, size = tempfile.TemporaryFile(), 0  # noqa: SIM115 - closed once the files are read
    for block in stream:
        size += spooled.write(block)
        if size > MODULE_BYTES:
            raise prepared_error(recipe, f"above {MODULE_BYTES // MIB} MiB")
    spooled.seek(0)
    return _prepared_files(spooled, recipe)


def _prepared_files(spooled: IO[bytes], recipe: Recipe) -> Iterator[FileContent]:
    with spooled, tarfile.open(fileobj=spooled, mode="r:") as archive:
        for member in archive:
            path = f"{recipe.folder}/{member.name.partition('/')[2]}"
            if member.issym():
                yield SourceFile(path, LINK, ""), member.linkname.encode("utf-8", "surrogateescape")
            elif member.isreg() and (content := archive.extractfile(member)):
                yield SourceFile(path, EXECUTABLE if member.mode & 0o111 else REGULAR, ""), content.read()
            elif not member.isdir():
                raise prepared_error(recipe, f"not regular: {member.name}")
