"""Blobs as streams: whatever passes is counted and hashed, nothing is held."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import BinaryIO

from pluginyard.errors import PluginyardError, RegistryError
from pluginyard.oci import Descriptor, HashedCount

PIECE = 256 * 1024
_DAMAGED = {errno.ENOENT, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ENXIO}


class OutgoingBlob:
    """Read a blob for a push, with the length that it has by its descriptor.

    Content that is not what the descriptor says is an error here, before the registry completes the blob.
    """

    def __init__(self, content: BinaryIO, descriptor: Descriptor, subject: str):
        self._content = content
        self._descriptor = descriptor
        self._subject = subject
        self._passed = HashedCount()

    def __len__(self) -> int:
        return self._descriptor.size

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(PIECE):
            yield piece

    def read(self, size: int = PIECE) -> bytes:
        """Return the next bytes, at most `size`; raise RegistryError as soon as they cannot be the blob."""
        left = self._descriptor.size - self._passed.count
        try:
            piece = self._passed.add(self._content.read(size if 0 <= size <= left else left + 1))
        except OSError as error:
            raise local_failure("cannot read the blob", self._subject, error) from error
        missing = self._descriptor.size - self._passed.count
        if missing < 0 or (missing and not piece) or (not missing and self._passed.digest != self._descriptor.digest):
            raise RegistryError(
                f"the content to push is not {self._descriptor.digest}",
                subject=self._subject,
                remedy="build it again: it changed after it was packed",
            )
        return piece

    def close(self) -> None:
        """Close the content."""
        self._content.close()


class IncomingBlob:
    """Write a blob that is pulled, and refuse it if it is not what its descriptor says; `remedy` is for that."""

    def __init__(self, target: BinaryIO, descriptor: Descriptor, subject: str, remedy: str):
        self._target = target
        self._start = target.tell() if target.seekable() else None
        self._descriptor = descriptor
        self._subject, self._remedy = subject, remedy
        self._passed = HashedCount()

    @property
    def count(self) -> int:
        """Return how many bytes are there."""
        return self._passed.count

    def write(self, piece: bytes) -> None:
        """Write the next bytes; raise RegistryError where they are more than the blob has."""
        if self.count + len(piece) > self._descriptor.size:
            raise self._wrong("longer than")
        try:
            self._target.write(self._passed.add(piece))
        except OSError as error:
            raise local_failure("cannot write the blob", self._subject, error) from error

    def verify(self) -> None:
        """Raise RegistryError where the whole is not what the digest says."""
        if self._passed.digest != self._descriptor.digest:
            raise self._wrong("not")

    def discard(self) -> None:
        """Take back what was written, where the target can."""
        if self._start is not None:
            self._target.seek(self._start)
            self._target.truncate()

    def _wrong(self, how: str) -> RegistryError:
        said = f"the content received is {how} {self._descriptor.digest}"
        return RegistryError(said, subject=self._subject, remedy=self._remedy)


def local_failure(what: str, subject: str, error: OSError) -> PluginyardError:
    """Return the error for our own side of a transfer: a full disk, or a layout folder that holds odd things."""
    reason = error.strerror or type(error).__name__
    if error.errno in _DAMAGED:
        return RegistryError(f"{what}: {reason}", subject=subject, remedy="restore the folder, or take a new one")
    return PluginyardError(f"{what}: {reason}", subject=subject, remedy="check the disk")
