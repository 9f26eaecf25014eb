"""Read the payloads of the wasm sections that say what a module imports and exports.

Source: WebAssembly core specification 3.0, "Binary format": the types of the garbage-collection proposal
included, since current toolchains write them. The counts are V8's own limits (wasm-limits.h).
"""

from __future__ import annotations

from array import array

from pluginyard.errors import VerdictError
from pluginyard.gateways.signature import Signature

MAX_TYPES = MAX_FUNCTIONS = 1_000_000
MAX_IMPORTS = MAX_EXPORTS = 100_000
MAX_VALUES = 1_000
MAX_NAME_BYTES = 100_000
KINDS = ("function", "table", "memory", "global", "tag")
CORRUPTED = "Failed to parse corrupted Wasm module"
NOT_BYTECODE = "Failed to load Wasm bytecode"
_VALUE_TYPES = {
    0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x78: "i8", 0x77: "i16",
    0x74: "nullexnref", 0x73: "nullfuncref", 0x72: "nullexternref", 0x71: "nullref", 0x70: "funcref",
    0x6F: "externref", 0x6E: "anyref", 0x6D: "eqref", 0x6C: "i31ref", 0x6B: "structref", 0x6A: "arrayref",
    0x69: "exnref", 0x68: "contref",
}  # fmt: skip
_REC, _SUB, _SUB_FINAL, _FUNC, _STRUCT, _ARRAY = 0x4E, 0x50, 0x4F, 0x60, 0x5F, 0x5E
_REF_NULL, _REF = 0x63, 0x64


class MalformedModuleError(VerdictError):
    """The bytes are no wasm module a gateway would take; `reason` is what the gateway prints."""

    def __init__(self, message: str, *, reason: str = NOT_BYTECODE, remedy: str = "") -> None:
        super().__init__(message, subject="plugin.wasm", remedy=remedy or "build the module again")
        self.reason = reason


class Payload:
    """Walk over the bytes of one section; every step raises MalformedModuleError beyond its end."""

    __slots__ = ("at", "content", "section")

    def __init__(self, content: bytes, section: str) -> None:
        self.content, self.section, self.at = content, section, 0

    def fault(self, what: str) -> MalformedModuleError:
        """Return the error that says `what` is wrong in this section."""
        return MalformedModuleError(f"{self.section} section: {what} at byte {self.at}")

    def byte(self) -> int:
        """Return the next byte."""
        if self.at >= len(self.content):
            raise self.fault("it ends too early")
        value = self.content[self.at]
        self.at += 1
        return value

    def number(self, bits: int = 32) -> int:
        """Return an unsigned LEB128 number of at most `bits` bits."""
        value = shift = 0
        while True:
            low = self.byte()
            value |= (low & 0x7F) << shift
            if low < 0x80:
                if value >> bits:
                    raise self.fault("a number is too large")
                return value
            shift += 7
            if shift >= bits:
                raise self.fault("a number is too long")

    def count(self, limit: int) -> int:
        """Return the length of a vector; no item is shorter than a byte, so a larger one is refused at once."""
        count = self.number()
        if count > min(limit, len(self.content) - self.at):
            raise self.fault(f"{count} items announced")
        return count

    def name(self) -> str:
        """Return a name; wasm names are UTF-8."""
        size = self.number()
        raw = self.content[self.at : self.at + size]
        if size > MAX_NAME_BYTES or len(raw) < size:
            raise self.fault("a name is longer than its section or 100000 bytes")
        self.at += size
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.fault("a name is not UTF-8") from None

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        if size > len(self.content) - self.at:
            raise self.fault("it ends too early")
        self.at += size

    def finish(self) -> None:
        """Raise MalformedModuleError where bytes are left over."""
        if self.at != len(self.content):
            raise self.fault("bytes are left over")


def read_types(payload: Payload) -> list[Signature | None]:
    """Return the signature of each type index; None for structs and arrays."""
    types: list[Signature | None] = []
    for _ in range(payload.count(MAX_TYPES)):
        lead = payload.byte()
        members = payload.count(MAX_TYPES) if lead == _REC else 1
        for _ in range(members):
            types.append(_sub_type(payload, payload.byte() if lead == _REC else lead))
    payload.finish()
    return types


def _sub_type(payload: Payload, lead: int) -> Signature | None:
    if lead in (_SUB, _SUB_FINAL):
        for _ in range(payload.count(MAX_VALUES)):
            payload.number()
        lead = payload.byte()
    if lead == _FUNC:
        return _signature(payload)
    if lead == _STRUCT:
        for _ in range(payload.count(MAX_VALUES * 10)):
            _field(payload)
    elif lead == _ARRAY:
        _field(payload)
    else:
        raise payload.fault(f"unknown type 0x{lead:02x}")
    return None


def _signature(payload: Payload) -> Signature:
    params = tuple([value_type(payload) for _ in range(payload.count(MAX_VALUES))])
    return Signature(params, tuple([value_type(payload) for _ in range(payload.count(MAX_VALUES))]))


def _field(payload: Payload) -> None:
    value_type(payload)
    if payload.byte() > 1:
        raise payload.fault("unknown mutability")


def value_type(payload: Payload) -> str:
    """Return the name of a value, storage or reference type."""
    code = payload.byte()
    known = _VALUE_TYPES.get(code)
    if known:
        return known
    if code not in (_REF_NULL, _REF):
        raise payload.fault(f"unknown value type 0x{code:02x}")
    heap = payload.byte()
    payload.at -= 1
    # A heap type is one signed number: an abstract type is a single negative byte, an index is positive.
    target = _VALUE_TYPES.get(payload.byte()) if 0x40 <= heap < 0x80 else str(payload.number(33))
    if target is None:
        raise payload.fault(f"unknown heap type 0x{heap:02x}")
    return f"(ref {'null ' if code == _REF_NULL else ''}{target})"


def skip_limits(payload: Payload) -> None:
    """Pass over the limits of a table or memory: flags, minimum, maximum, page size."""
    flags = payload.byte()
    if flags > 0x0F:
        raise payload.fault(f"unknown limits 0x{flags:02x}")
    for _ in range(1 + (flags & 1)):
        payload.number(64)
    if flags & 0x08:
        payload.number()


def read_functions(payload: Payload, type_count: int) -> array[int]:
    """Return the type index of each function the module defines."""
    indexes = array("I", [payload.number() for _ in range(payload.count(MAX_FUNCTIONS))])
    if any(i >= type_count for i in indexes):
        raise payload.fault("a type index is out of range")
    payload.finish()
    return indexes
