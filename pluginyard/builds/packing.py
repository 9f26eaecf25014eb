"""Pack a module so that the same bytes in give the same bytes out: `plugin.tar.gz`.

Fixed time, owner, mode, name and gzip header; measured equal over Python 3.11 and 3.13.
Everything streams, so size costs no memory. Pieces of fixed size are compressed side by side, each knowing the end of
the one before it: the bytes do not depend on how many processors there are.
"""

from __future__ import annotations

import tarfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from pluginyard.oci import ARCHIVE_LAYER, TITLE, Descriptor, HashedCount

ARCHIVE_NAME = "plugin.tar.gz"
MODULE_NAME = "plugin.wasm"
# Half the time of 6 for 2 % more bytes (a Go module of 3 MB); another level is another digest, and so is another piece.
_LEVEL = 5
_PIECE = 256 << 10
_WINDOW = 32 << 10
_THREADS = 4
# RFC 1952: deflate, no name, no time, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def pack_module(module: BinaryIO, size: int, target: BinaryIO) -> Descriptor:
    """Write `module` (`size` bytes) as a reproducible archive to `target` and return its layer's descriptor."""
    written = HashedCount()
    for block in _gzip(_tar(module, size)):
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


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield one gzip member (RFC 1952) of one deflate stream, whose pieces end at byte boundaries."""
    yield _HEADER
    checksum, size, window = 0, 0, b""
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="pack") as pool:
        for piece in pieces:
            waiting.append(pool.submit(_deflate, piece, window))
            checksum, size, window = zlib.crc32(piece, checksum), size + len(piece), piece[-_WINDOW:]
            if len(waiting) > _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    yield zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    yield checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _deflate(piece: bytes, window: bytes) -> bytes:
    """Compress a piece that follows the bytes of `window`; the last block of the stream is still to come."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zdict=window)
    return compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
