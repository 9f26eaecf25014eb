"""Gather imports and exports from the sections of a wasm module, in the order they pass."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pluginyard.gateways.signature import Signature
from pluginyard.gateways.wasm.payloads import (
    CORRUPTED,
    KINDS,
    MAX_EXPORTS,
    MAX_FUNCTIONS,
    MAX_IMPORTS,
    MalformedModuleError,
    Payload,
    read_functions,
    read_types,
    skip_limits,
    value_type,
)


@dataclass(frozen=True)
class Import:
    """Name what the module takes from its host; `signature` is set for functions."""

    module: str
    name: str
    kind: str
    signature: Signature | None = None


@dataclass(frozen=True)
class Export:
    """Name what the module offers to its host; `signature` is set for functions."""

    name: str
    kind: str
    signature: Signature | None = None


@dataclass
class Outline:
    """Hold what the sections have said so far."""

    types: list[Signature | None] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    imported: list[Signature] = field(default_factory=list)
    functions: array[int] = field(default_factory=lambda: array("I"))
    exports: list[Export] = field(default_factory=list)
    custom: list[str] = field(default_factory=list)
    bodies: int = 0
    named: int = 0
    """How many names of functions, and parts of name sections, were read."""
    has_start: bool = False
    has_memory: bool = False

    def type_at(self, index: int, payload: Payload) -> Signature:
        """Return the function type `index`."""
        found = self.types[index] if index < len(self.types) else None
        if found is None:
            raise payload.fault(f"type {index} is no function type")
        return found

    def signature_of(self, index: int, payload: Payload) -> Signature:
        """Return the signature of function `index`; imported ones come first."""
        if index < len(self.imported):
            return self.imported[index]
        if index - len(self.imported) >= len(self.functions):
            raise payload.fault(f"function {index} does not exist")
        return self.type_at(self.functions[index - len(self.imported)], payload)


def _read_types(outline: Outline, payload: Payload) -> None:
    outline.types = read_types(payload)


def _read_imports(outline: Outline, payload: Payload) -> None:
    for _ in range(payload.count(MAX_IMPORTS)):
        module, name, kind = payload.name(), payload.name(), payload.byte()
        if kind >= len(KINDS):
            raise payload.fault(f"unknown import kind {kind}")
        signature = _IMPORTED[kind](outline, payload)
        outline.imports.append(Import(module, name, KINDS[kind], signature))
    payload.finish()


def _imported_function(outline: Outline, payload: Payload) -> Signature:
    signature = outline.type_at(payload.number(), payload)
    outline.imported.append(signature)
    return signature


def _imported_table(_: Outline, payload: Payload) -> None:
    value_type(payload)
    skip_limits(payload)


def _imported_memory(outline: Outline, payload: Payload) -> None:
    outline.has_memory = True
    skip_limits(payload)


def _imported_global(_: Outline, payload: Payload) -> None:
    value_type(payload)
    payload.byte()


def _imported_tag(outline: Outline, payload: Payload) -> None:
    payload.byte()
    outline.type_at(payload.number(), payload)


_IMPORTED: tuple[Callable[[Outline, Payload], Signature | None], ...] = (
    _imported_function,
    _imported_table,
    _imported_memory,
    _imported_global,
    _imported_tag,
)  # in the order of KINDS


def _read_function_indexes(outline: Outline, payload: Payload) -> None:
    outline.functions = read_functions(payload, len(outline.types))


def _read_exports(outline: Outline, payload: Payload) -> None:
    seen: set[str] = set()
    for _ in range(payload.count(MAX_EXPORTS)):
        name, kind, index = payload.name(), payload.byte(), payload.number()
        if kind >= len(KINDS):
            raise payload.fault(f"unknown export kind {kind}")
        if name in seen:
            raise payload.fault(f"duplicate export name {name[:80]!r}")
        seen.add(name)
        outline.has_memory |= KINDS[kind] == "memory"
        outline.exports.append(Export(name, KINDS[kind], outline.signature_of(index, payload) if kind == 0 else None))
    payload.finish()


def _read_start(outline: Outline, payload: Payload) -> None:
    if outline.signature_of(payload.number(), payload) != Signature():
        raise payload.fault("the start function takes or returns values")
    outline.has_start = True
    payload.finish()


@dataclass(frozen=True)
class SectionReader:
    """Name a section and say how its payload is read."""

    title: str
    read: Callable[[Outline, Payload], None]


READERS: Mapping[int, SectionReader] = {
    1: SectionReader("type", _read_types),
    2: SectionReader("import", _read_imports),
    3: SectionReader("function", _read_function_indexes),
    7: SectionReader("export", _read_exports),
    8: SectionReader("start", _read_start),
}


def check_name_section(outline: Outline, payload: Payload) -> None:
    """Raise MalformedModuleError where the host's own reader of function names would give up.

    proxy-wasm-cpp-host reads this section before anything is compiled and refuses the whole module when a
    tool that strips or rewrites names has left it inconsistent (bytecode_util.cc; seen in Envoy 1.40).
    """
    try:
        while payload.at < len(payload.content):
            kind, size = payload.byte(), payload.number()
            end = payload.at + size
            if end > len(payload.content):
                raise payload.fault("a part is longer than the section")
            count = payload.count(MAX_FUNCTIONS) if kind == 1 else 0
            outline.named += 1 + count
            if outline.named > MAX_FUNCTIONS:
                raise payload.fault(f"more than {MAX_FUNCTIONS} names")
            if kind == 1:
                for _ in range(count):
                    payload.number()
                    payload.skip(payload.number())
                if payload.at != end:
                    raise payload.fault("the function names do not fill their part")
            payload.at = end
    except MalformedModuleError as error:
        raise MalformedModuleError(error.message, reason=CORRUPTED, remedy="do not strip names partly") from None
