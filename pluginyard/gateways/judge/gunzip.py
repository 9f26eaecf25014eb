"""Decompress a gzip stream in small steps, bounded in what comes out, as a gateway reads it.

The texts of the errors are those of Go's compress/gzip, since they are what a gateway prints.
"""

from __future__ import annotations

import zlib

from pluginyard.gateways.wasm import Readable

_BLOCK = 1 << 16
_MAX_MEMBERS = 1_000  # eStargz writes one member per 4 MiB; more than this is meant to cost time
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"


class ArchiveFaultError(Exception):
    """The archive cannot be read on; `reason` is what Go says, `args[0]` what we say. Never leaves the judge."""

    def __init__(self, message: str, reason: str, *, opening: bool = False) -> None:
        super().__init__(message)
        self.reason = f"failed to parse layer as tar.gz: {reason}" if opening else reason


class Gunzip:
    """Give the decompressed bytes of `stream`, at most `limit` of them; then the end is reached."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream, self._left, self._members = stream, limit, 1
        self.exhausted = False
        """True once the limit has cut the stream off."""
        self._pending = b""
        while len(self._pending) < 10 and (block := stream.read(_BLOCK)):
            self._pending += block
        self._refuse_other_formats()
        self._inflate = zlib.decompressobj(wbits=31)

    def _refuse_other_formats(self) -> None:
        lead = self._pending[:4]
        if not lead:
            raise ArchiveFaultError("the layer is empty", "EOF", opening=True)
        if len(self._pending) < 10:
            raise ArchiveFaultError("the layer is shorter than a gzip header", "unexpected EOF", opening=True)
        if not lead.startswith(_GZIP):
            found = "zstd" if lead == _ZSTD else "not gzip"
            raise ArchiveFaultError(f"the layer is {found}; gateways read gzip", "gzip: invalid header", opening=True)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end; raise ArchiveFaultError where the stream is damaged."""
        if size < 0:
            size = self._left
        out = bytearray()
        while len(out) < size:
            if not self._left:
                self.exhausted = True
                break
            block = self._step(min(size - len(out), self._left, _BLOCK))
            if block is None:
                break
            out += block
            self._left -= len(block)
        return bytes(out)

    def _step(self, size: int) -> bytes | None:
        """Return some bytes, possibly none; None at the end."""
        if self._inflate.eof and not self._next_member():
            return None
        if not self._pending and not self._fill():
            # Ask for what zlib still holds back; nothing more means that the stream was cut.
            block = self._inflate.decompress(b"", size)
            if not block and not self._inflate.eof:
                raise ArchiveFaultError("the gzip stream ends in the middle", "unexpected EOF")
            return block
        try:
            block = self._inflate.decompress(self._pending, size)
        except zlib.error as error:
            reason = "gzip: invalid checksum" if "incorrect" in str(error) else "flate: corrupt input"
            raise ArchiveFaultError("the gzip stream is damaged", reason) from None
        self._pending = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        return block

    def _fill(self) -> bool:
        self._pending = self._stream.read(_BLOCK)
        return bool(self._pending)

    def _next_member(self) -> bool:
        """Begin the gzip member that follows, as Go's reader does; return whether there is one."""
        if not self._pending and not self._fill():
            return False
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise ArchiveFaultError(f"the layer has more than {_MAX_MEMBERS} gzip members", "refused by pluginyard")
        while len(self._pending) < len(_GZIP) and (block := self._stream.read(_BLOCK)):
            self._pending += block
        if not self._pending.startswith(_GZIP):
            raise ArchiveFaultError("something follows the gzip stream", "gzip: invalid header")
        self._inflate = zlib.decompressobj(wbits=31)
        return True
