"""Read what a wasm module imports and exports, in milliseconds and without holding its code.

>>> import io
>>> read_module(io.BytesIO(b"\\0asm\\x01\\0\\0\\0")).exports
()

Code and data are passed over in blocks. Whether the code itself is valid only a compiler knows (a gateway
does); everything that decides whether a gateway *links* the module is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from pluginyard.gateways.signature import Signature, parse_signature
from pluginyard.gateways.wasm.outline import READERS, Export, Import, Outline, check_name_section
from pluginyard.gateways.wasm.payloads import CORRUPTED, MalformedModuleError, Payload
from pluginyard.oci import HashedCount

__all__ = [
    "Export",
    "Import",
    "MalformedModuleError",
    "Readable",
    "Signature",
    "WasmModule",
    "parse_signature",
    "read_module",
]

MAGIC = b"\0asm"
WASM_VERSION = b"\x01\0\0\0"
COMPONENT = b"\x0d\0\x01\0"
LIMIT_BYTES = 256 * 1024 * 1024
_BLOCK = 1 << 16
_MAX_PARSED = 4 * 1024 * 1024  # the largest section that is read into memory; real ones are under 1 MiB
_MAX_CUSTOM = 10_000
_CUSTOM, _CODE = 0, 10
# The order the specification demands: tag (13) stands after memory, data count (12) before code.
_ORDER = {number: place for place, number in enumerate((1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11))}


class Readable(Protocol):
    """Anything with `read`: a file, a response body, an archive's entry."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""
        ...


@dataclass(frozen=True)
class WasmModule:
    """Hold the outside of a module: what decides whether a host links it."""

    size: int
    """Length of the module in bytes."""
    digest: str
    """`sha256:<hex>` of the module's bytes: what a WasmPlugin with an http(s) URL pins."""
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    custom_sections: tuple[str, ...] = ()
    has_start: bool = False
    has_memory: bool = False
    functions: dict[str, Signature] = field(default_factory=dict, repr=False, compare=False)
    """The exported functions by name."""


class _Counted:
    """Count, digest and bound what is read from the stream."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream, self._limit = stream, limit
        self.passed = HashedCount()

    def some(self, size: int) -> bytes:
        block = self.passed.add(self._stream.read(size))
        if self.passed.count > self._limit:
            raise MalformedModuleError(f"the module is larger than {self._limit} bytes", remedy="make it smaller")
        return block

    def blocks(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.some(min(size, _BLOCK))
            if not block:
                raise MalformedModuleError(f"it ends {size} bytes too early", reason=CORRUPTED)
            size -= len(block)
            yield block

    def take(self, size: int) -> bytes:
        return b"".join(self.blocks(size))

    def skip(self, size: int) -> None:
        for _ in self.blocks(size):
            pass

    def number(self) -> tuple[int, int]:
        """Return an unsigned LEB128 number of 32 bits, and how many bytes it took."""
        raw = self.take(1)
        while raw[-1] & 0x80 and len(raw) < 5:
            raw += self.take(1)
        return Payload(raw, "size of a").number(), len(raw)


def read_module(stream: Readable, *, limit_bytes: int = LIMIT_BYTES) -> WasmModule:
    """Read `stream` to its end as one wasm module of at most `limit_bytes` bytes.

    Raises MalformedModuleError, whose `reason` is what the gateway prints.
    """
    source, outline = _Counted(stream, limit_bytes), Outline()
    _check_header(source)
    last = -1
    while number := source.some(1):
        try:
            size, _ = source.number()
        except MalformedModuleError as error:
            raise MalformedModuleError(error.message, reason=CORRUPTED) from None
        if number[0] == _CUSTOM:
            _read_custom(source, outline, size)
            continue
        place = _ORDER.get(number[0], -1)
        if place <= last:
            raise MalformedModuleError(f"section {number[0]} is unknown, repeated or out of order")
        last = place
        _read_section(source, outline, number[0], size)
    if outline.bodies != len(outline.functions):
        raise MalformedModuleError(f"{len(outline.functions)} functions, but {outline.bodies} bodies")
    return _module(source, outline)


def _module(source: _Counted, outline: Outline) -> WasmModule:
    return WasmModule(
        size=source.passed.count,
        digest=source.passed.digest,
        imports=tuple(outline.imports),
        exports=tuple(outline.exports),
        custom_sections=tuple(outline.custom),
        has_start=outline.has_start,
        has_memory=outline.has_memory,
        functions={export.name: export.signature for export in outline.exports if export.signature is not None},
    )


def _check_header(source: _Counted) -> None:
    try:
        header = source.take(8)
    except MalformedModuleError:
        raise MalformedModuleError("shorter than 8 bytes: no wasm module", reason=_invalid_header()) from None
    if header[:4] != MAGIC:
        raise MalformedModuleError(
            "it does not begin with \\0asm: no wasm module", reason=_invalid_header(), remedy=_remedy_for(header)
        )
    if header[4:] == COMPONENT:
        raise MalformedModuleError(
            "it is a WebAssembly component; gateways load core modules only",
            reason="Missing or unknown Proxy-Wasm ABI version",
            remedy="build for wasip1 (Rust: --target wasm32-wasip1), not wasip2",
        )
    if header[4:] != WASM_VERSION:
        raise MalformedModuleError(f"wasm version {int.from_bytes(header[4:], 'little')}, not 1")


def _invalid_header() -> str:
    return "fetched Wasm binary is invalid"


def _remedy_for(header: bytes) -> str:
    kinds = {b"\x7fELF": "an ELF program", b"\x1f\x8b": "a gzip file", b"!<ar": "a static library", b"PK": "a zip"}
    found = next((kind for lead, kind in kinds.items() if header.startswith(lead)), "")
    said = f"this is {found}: " if found else ""
    return f"{said}build for wasm (Go: GOOS=wasip1 GOARCH=wasm; Rust: --target wasm32-wasip1)"


def _read_section(source: _Counted, outline: Outline, number: int, size: int) -> None:
    if number == _CODE:
        outline.bodies, length = source.number() if size else (0, 0)
        if length > size:
            raise MalformedModuleError("the code section is longer than it says")
        return source.skip(size - length)
    reader = READERS.get(number)
    if reader is None:
        return source.skip(size)
    if size > _MAX_PARSED:
        raise MalformedModuleError(f"the {reader.title} section has {size} bytes; no plugin needs that")
    return reader.read(outline, Payload(source.take(size), reader.title))


def _read_custom(source: _Counted, outline: Outline, size: int) -> None:
    """Note the section's name; only the names of functions are looked into, as the host does."""
    if len(outline.custom) >= _MAX_CUSTOM:
        raise MalformedModuleError(f"more than {_MAX_CUSTOM} custom sections")
    if not size:
        raise MalformedModuleError("a custom section without a name")
    length, width = source.number()
    if width + length > size or length > _MAX_PARSED:
        raise MalformedModuleError("the name of a custom section is longer than the section", reason=CORRUPTED)
    try:
        name = source.take(length).decode()
    except UnicodeDecodeError:
        raise MalformedModuleError("the name of a custom section is not UTF-8") from None
    outline.custom.append(name[:200])
    rest = size - width - length
    if name != "name" or rest > _MAX_PARSED:
        return source.skip(rest)
    return check_name_section(outline, Payload(source.take(rest), "name"))
