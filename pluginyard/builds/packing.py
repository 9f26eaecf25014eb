"""Pack a module so that the same bytes in give the same bytes out: `plugin.tar.gz`.

Fixed time, owner, mode, name and gzip header; measured equal over Python 3.11 and 3.13.
Everything streams, so size costs no memory. Pieces of fixed size are compressed independently, each with the end of
the one before it as its dictionary: the bytes do not depend on how many are compressed at once.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from pluginyard.oci import ARCHIVE_LAYER, TITLE, Descriptor, HashedCount

ARCHIVE_NAME = "plugin.tar.gz"
MODULE_NAME = "plugin.wasm"
# Half the time of 6 for 2 % more bytes (a Go module of 3 MB); another level is another digest, and so is another piece.
_LEVEL = 5
_PIECE = 256 << 10
_WINDOW = 32 << 10
# RFC 1952: deflate, no name, no time, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

Piece = tuple[bytes, bytes]
Map = Callable[[Callable[[Piece], bytes], Iterable[Piece]], Iterable[bytes]]
"""Apply a function to each piece and return the results in order, as the built-in `map` does."""


def pack_module(module: BinaryIO, size: int, target: BinaryIO, compress: Map = map) -> Descriptor:
    """Write `module` (`size` bytes) as a reproducible archive to `target` and return its layer's descriptor.

    `compress` may work on several pieces at once.
    """
    written = HashedCount()
    for block in _gzip(_tar(module, size), compress):
        target.write(written.add(block))
    return Descriptor(ARCHIVE_LAYER, written.digest, written.count, {TITLE: ARCHIVE_NAME})


def _tar(module: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield an archive of one member in pieces of one size, but for the last."""
    header = tarfile.TarInfo(MODULE_NAME)
    header.size, header.mode, header.mtime = size, 0o644, 0
    piece = header.tobuf(tarfile.USTAR_FORMAT)
    while block := module.read(_PIECE - len(piece)):
        piece += block
        if len(piece) == _PIECE:
            yield piece
            piece = b""
    piece += bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
    yield piece


def _gzip(content: Iterable[bytes], compress: Map) -> Iterator[bytes]:
    """Yield one gzip member (RFC 1952) of one deflate stream, whose pieces end at byte boundaries."""
    checksum = size = 0

    def pieces() -> Iterator[Piece]:
        nonlocal checksum, size
        window = b""
        for piece in content:
            checksum, size = zlib.crc32(piece, checksum), size + len(piece)
            yield piece, window
            window = piece[-_WINDOW:]

    yield _HEADER
    yield from compress(_deflate, pieces())
    yield zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    yield checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _deflate(piece: Piece) -> bytes:
    """Compress a piece that follows the bytes of its window; the last block of the stream is still to come."""
    content, window = piece
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zdict=window)
    return compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)
