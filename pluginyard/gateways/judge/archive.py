"""Walk over a tar.gz layer as a gateway does, entry by entry, holding none of it.

Python's tarfile is not used here: it reads extension headers of any announced size into memory, and its answers
to damaged headers are not those of Go's archive/tar, which decide whether a gateway loads the layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pluginyard.gateways.judge.gunzip import ArchiveFaultError, Gunzip
from pluginyard.gateways.wasm import Readable

BLOCK = 512
PLUGIN = "plugin.wasm"
_MAX_EXTENSION = 1 << 20  # Go's limit for pax and GNU long-name headers
_MAX_RECORDS = 10_000  # an entry has a dozen; more than this is meant to cost time
_STEP = 1 << 16
_EXTENDED, _LONG_NAME, _LONG_LINK = b"x", b"L", b"K"
_KINDS = {
    b"1": "hard link", b"2": "symbolic link", b"3": "device", b"4": "device", b"5": "directory", b"6": "pipe",
    b"S": "sparse file", b"g": "global header",
}  # fmt: skip
_SPARSE = b"GNU.sparse."
_RECORDS = (b"path", b"size", _SPARSE)
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_PAX = re.compile(rb"([0-9]{1,7}) ")


@dataclass(frozen=True)
class ArchiveEntry:
    """Describe one entry of the archive; `size` in bytes as it is announced."""

    name: str
    size: int
    kind: str

    @property
    def base(self) -> str:
        """Return the last part of the name, as Go's filepath.Base."""
        return self.name.rstrip("/").rpartition("/")[2]


class TarReader:
    """Iterate over the entries; `read` gives the content of the current one."""

    def __init__(self, stream: Gunzip) -> None:
        self._stream = stream
        self._left = self._padding = 0

    def __iter__(self) -> Iterator[ArchiveEntry]:
        """Yield every entry; raise ArchiveFaultError where Go's reader would fail."""
        while entry := self._next():
            yield entry

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes of the current entry; raise ArchiveFaultError where the layer ends before it."""
        wanted = self._left if size < 0 else min(size, self._left)
        block = self._stream.read(wanted)
        self._left -= len(block)
        if len(block) < wanted:
            raise ArchiveFaultError(_cut(self._stream, "in the middle of a file"), "unexpected EOF")
        return block

    def _next(self) -> ArchiveEntry | None:
        records: dict[bytes, bytes] = {}
        long_name = b""
        while True:
            self._pass(self._left + self._padding)
            header = self._header()
            if header is None:
                return None
            flag, size = header[156:157], _number(header[124:136])
            if flag not in (_EXTENDED, _LONG_NAME, _LONG_LINK):
                return self._entry(header, flag, size, records, long_name)
            self._set_size(size)
            if size > _MAX_EXTENSION:
                raise ArchiveFaultError("an extension header is too long", "archive/tar: header field too long")
            content = self.read()
            # As Go's reader does: of several headers of a kind the last one counts, and only it is held.
            if flag == _EXTENDED:
                records = _records(content)
            elif flag == _LONG_NAME:
                long_name = content.partition(b"\0")[0]

    def _entry(
        self, header: bytes, flag: bytes, size: int, records: dict[bytes, bytes], long_name: bytes
    ) -> ArchiveEntry:
        name = (long_name or records.get(b"path") or _name(header)).decode("utf-8", "replace")
        if b"size" in records:
            size = _decimal(records[b"size"])
        kind = "file" if flag in (b"0", b"\0", b"7") else _KINDS.get(flag, "special file")
        if kind == "file" and name.endswith("/"):
            kind = "directory"
        if _SPARSE in records:
            kind = "sparse file"
        # Go takes links, devices, directories and pipes as entries without content, whatever they announce.
        self._set_size(0 if flag in b"123456" else size)
        if kind == "global header":
            self._pass(self._left + self._padding)
            self._set_size(0)
        return ArchiveEntry(name, size, kind)

    def _set_size(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _header(self) -> bytes | None:
        block = self._stream.read(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            raise ArchiveFaultError(_cut(self._stream, "in the middle of a header"), "unexpected EOF")
        if not any(block):
            if any(self._stream.read(BLOCK)):
                raise _invalid("an empty header stands before another entry")
            return None
        _check_sum(block)
        return block

    def _pass(self, size: int) -> None:
        while size:
            block = self._stream.read(min(size, _STEP))
            if not block:
                raise ArchiveFaultError(_cut(self._stream, "in the middle of a file"), "unexpected EOF")
            size -= len(block)
        self._left = self._padding = 0


def open_archive(layer: Readable, limit_bytes: int) -> TarReader:
    """Return a reader over the tar.gz `layer`, of at most `limit_bytes` decompressed bytes.

    Raises ArchiveFaultError where it is no gzip stream.
    """
    return TarReader(Gunzip(layer, limit_bytes))


def _cut(stream: Gunzip, where: str) -> str:
    return "the limit of decompressed bytes is used up" if stream.exhausted else f"the archive ends {where}"


def _invalid(message: str) -> ArchiveFaultError:
    return ArchiveFaultError(message, "archive/tar: invalid tar header")


def _check_sum(header: bytes) -> None:
    blanked = header[:148] + b" " * 8 + header[156:]
    stated, plain = _number(header[148:156]), sum(blanked)
    # Some old writers added the bytes as signed numbers.
    if stated != plain and stated != plain - 256 * sum(byte > 127 for byte in blanked):
        raise _invalid("the checksum of a header is wrong")


def _number(raw: bytes) -> int:
    if raw[0] & 0x80:
        value = int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:], "big")
        if raw[0] & 0x40 or value >= 1 << 63:
            raise _invalid("a size is negative or too large")
        return value
    found = _OCTAL.fullmatch(raw)
    if not found:
        raise _invalid("a number is not octal")
    return int(found[1] or b"0", 8)


def _decimal(raw: bytes) -> int:
    if not raw.isdigit() or len(raw) > 18:
        raise _invalid("a size is not a number")
    return int(raw)


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    ustar = header[257:263] == b"ustar\0"
    return prefix + b"/" + name if ustar and prefix else name


def _records(content: bytes) -> dict[bytes, bytes]:
    """Parse pax records, `LENGTH KEY=VALUE\\n` with the length counting itself; return those that matter here."""
    records: dict[bytes, bytes] = {}
    at = count = 0
    while at < len(content):
        count += 1
        if count > _MAX_RECORDS:
            raise ArchiveFaultError(f"a header has more than {_MAX_RECORDS} records", "refused by pluginyard")
        found = _PAX.match(content, at)
        end = at + int(found[1]) if found else 0
        key, equals, value = content[found.end() : end - 1].partition(b"=") if found else (b"", b"", b"")
        if not equals or end > len(content) or content[end - 1 : end] != b"\n":
            raise _invalid("a pax record is malformed")
        key = _SPARSE if key.startswith(_SPARSE) else key
        if key in _RECORDS and value:  # Go lets an empty one stand for nothing
            records[key] = value
        at = end
    return records
