"""Assemble small real wasm modules by hand, so that each test shows exactly the bytes it is about.

>>> plugin().startswith(b"\\0asm")
True
"""

from __future__ import annotations

from collections.abc import Sequence

MAGIC = b"\0asm\x01\0\0\0"
VALUE_TYPES = {"i": 0x7F, "I": 0x7E, "f": 0x7D, "F": 0x7C}
MALLOC = ("malloc", "(i)i")
INITIALIZE = ("_initialize", "()")
_KINDS = {"func": 0, "table": 1, "memory": 2, "global": 3, "tag": 4}
# What follows the kind of an import that is no function: a funcref table, one page, an i32 constant, a tag.
_FOREIGN = {"table": b"\x70\x00\x01", "memory": b"\x00\x01", "global": b"\x7f\x00", "tag": b"\x00\x00"}


def leb(value: int) -> bytes:
    """Return `value` as unsigned LEB128."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def name(text: str | bytes) -> bytes:
    """Return a length-prefixed name."""
    raw = text.encode() if isinstance(text, str) else text
    return leb(len(raw)) + raw


def vector(items: Sequence[bytes]) -> bytes:
    """Return a counted sequence."""
    return leb(len(items)) + b"".join(items)


def section(number: int, payload: bytes) -> bytes:
    """Return one section."""
    return bytes([number]) + leb(len(payload)) + payload


def custom(title: str, payload: bytes = b"") -> bytes:
    """Return a custom section."""
    return section(0, name(title) + payload)


def function_type(signature: str) -> bytes:
    """Return the type `(iI)i`: parameters in parentheses, results after; i, I, f, F are i32, i64, f32, f64."""
    params, _, results = signature.removeprefix("(").partition(")")
    return b"\x60" + b"".join(vector([bytes([VALUE_TYPES[c]]) for c in side]) for side in (params, results))


def _body(signature: str) -> bytes:
    results = signature.partition(")")[2]
    constants = {"i": b"\x41\x01", "I": b"\x42\x01", "f": b"\x43" + b"\0" * 4, "F": b"\x44" + b"\0" * 8}
    code = b"\0" + b"".join(constants[c] for c in results) + b"\x0b"
    return leb(len(code)) + code


def module(
    *,
    imports: Sequence[tuple[str, str, str]] = (),
    exports: Sequence[tuple[str, str]] = (),
    memory: bool = True,
    start: bool = False,
    tail: bytes = b"",
) -> bytes:
    """Return a module that V8 accepts.

    Imports are (module, name, signature or kind: table, memory, global, tag); exports are functions
    (name, signature) that return 1. `tail` is appended: custom sections, or damage.
    """
    signatures = sorted({s for _, _, s in imports if s[0] == "("} | {s for _, s in exports} | {"()"})
    number = {s: leb(i) for i, s in enumerate(signatures)}
    entries = [
        name(m) + name(n) + (b"\0" + number[s] if s[0] == "(" else bytes([_KINDS[s]]) + _FOREIGN[s])
        for m, n, s in imports
    ]
    first = sum(s[0] == "(" for _, _, s in imports)
    exported = [name(n) + b"\0" + leb(first + i) for i, (n, _) in enumerate(exports)]
    exported += [name("memory") + b"\x02\0"] if memory else []
    functions = [s for _, s in exports] + (["()"] if start else [])
    parts = [MAGIC, section(1, vector([function_type(s) for s in signatures]))]
    parts += [section(2, vector(entries))] if entries else []
    parts += [section(3, vector([number[s] for s in functions]))] if functions else []
    parts += [section(5, b"\x01\0\x01")] if memory else []
    parts += [section(7, vector(exported))] if exported else []
    parts += [section(8, leb(first + len(exports)))] if start else []
    parts += [section(10, vector([_body(s) for s in functions]))] if functions else []
    return b"".join(parts) + tail


def plugin(
    abi: str = "0_2_1",
    *,
    imports: Sequence[tuple[str, str, str]] = (("env", "proxy_log", "(iii)i"),),
    exports: Sequence[tuple[str, str]] = (),
    without: Sequence[str] = (),
    memory: bool = True,
    tail: bytes = b"",
) -> bytes:
    """Return a module that a proxy-wasm host loads, less its own exports named in `without`."""
    always = [(f"proxy_abi_version_{abi}", "()"), MALLOC, INITIALIZE] if abi else [MALLOC, INITIALIZE]
    kept = [e for e in always if e[0] not in without]
    return module(imports=imports, exports=[*kept, *exports], memory=memory, tail=tail)
