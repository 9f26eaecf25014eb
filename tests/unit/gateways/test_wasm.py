from __future__ import annotations

import hashlib
import io
import random
import time

import pytest

from pluginyard.errors import VerdictError
from pluginyard.gateways.signature import Signature, parse_signature
from pluginyard.gateways.wasm import MalformedModuleError, read_module
from tests.machine.wasm_builder import MAGIC, custom, function_type, leb, module, name, plugin, section, vector

EMPTY_TYPE = section(1, vector([function_type("()")]))


def read(content: bytes):
    return read_module(io.BytesIO(content))


class OneByteAtATime(io.BytesIO):
    """A response body that arrives in single bytes."""

    def read(self, size: int = -1) -> bytes:
        return super().read(min(size, 1))


def test_imports_and_exports_come_with_their_signatures() -> None:
    found = read(
        plugin(imports=[("env", "proxy_increment_metric", "(iI)i"), ("env", "memory", "memory")], memory=False)
    )
    assert [(i.module, i.name, i.kind, str(i.signature)) for i in found.imports] == [
        ("env", "proxy_increment_metric", "function", "i32 i64 -> i32"),
        ("env", "memory", "memory", "None"),
    ]
    assert found.functions["malloc"] == parse_signature("(i)i")
    assert found.has_memory


def test_size_and_digest_are_those_of_the_bytes() -> None:
    content = plugin()
    found = read(content)
    assert found.size == len(content)
    assert found.digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_a_signature_is_written_as_the_gateway_writes_it() -> None:
    assert str(parse_signature("(iIfF)")) == "i32 i64 f32 f64 -> void"
    assert str(Signature()) == "void -> void"


def test_custom_sections_and_the_start_section_are_noted() -> None:
    found = read(module(start=True, tail=custom("producers", b"xyz")))
    assert found.has_start
    assert found.custom_sections == ("producers",)
    assert not read(module()).has_start


def test_a_stream_that_gives_single_bytes_is_read_alike() -> None:
    content = plugin(tail=custom("note", b"x" * 300))
    assert read_module(OneByteAtATime(content)) == read(content)


def test_code_and_data_are_never_held() -> None:
    class Watching(io.BytesIO):
        largest = 0

        def read(self, size: int = -1) -> bytes:
            Watching.largest = max(Watching.largest, size)
            return super().read(size)

    content = module(exports=[("f", "()")])
    code = content.index(bytes([10, 4, 1, 2]))
    body = b"\0" + b"\x01" * 3_000_000 + b"\x0b"
    large = content[:code] + section(10, b"\1" + leb(len(body)) + body)
    assert read_module(Watching(large)).size == len(large)
    assert 0 < Watching.largest <= 1 << 16


GC_TYPES = {
    "a recursion group": b"\x4e" + vector([function_type("()"), b"\x5f\x01\x7f\x01"]),
    "an open struct": b"\x50\x00\x5f\x02\x63\x6e\x00\x64\x00\x01",
    "a final sub type with a parent": b"\x4f\x01\x00" + function_type("()"),
    "a packed array": b"\x5e\x78\x01",
    "vectors and references": b"\x60"
    + vector([b"\x7b", b"\x70", b"\x6f", b"\x69"])
    + vector([b"\x63\x70", b"\x64\x00"]),
    "several results": function_type("()iI"),
}


@pytest.mark.parametrize("case", GC_TYPES)
def test_types_that_current_toolchains_write_are_read(case: str) -> None:
    types = section(1, vector([function_type("()"), GC_TYPES[case]]))
    imports = section(2, vector([name("env") + name("f") + b"\0\0"]))
    assert read(MAGIC + types + imports).imports[0].signature == Signature()


def test_shared_and_64_bit_memories_are_read() -> None:
    for limits in (b"\x03\x01\x02", b"\x05\x01\x80\x80\x80\x80\x80\x80\x01", b"\x09\x01\x02\x10"):
        assert read(MAGIC + section(2, vector([name("env") + name("m") + b"\x02" + limits]))).has_memory


def test_types_of_a_recursion_group_each_have_an_index() -> None:
    types = section(1, vector([b"\x4e" + vector([b"\x5e\x7f\x00", function_type("(i)")]), function_type("(I)")]))
    imports = section(2, vector([name("e") + name("a") + b"\0\1", name("e") + name("b") + b"\0\2"]))
    assert [str(i.signature) for i in read(MAGIC + types + imports).imports] == ["i32 -> void", "i64 -> void"]


HOSTILE = {
    "nothing": b"",
    "seven bytes": MAGIC[:7],
    "another magic": b"\x7fELF\x01\0\0\0",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "version 2": b"\0asm\2\0\0\0",
    "a component": b"\0asm\x0d\0\1\0",
    "a section longer than the file": MAGIC + b"\x01\xff\xff\xff\xff\x0f",
    "a section size of six bytes": MAGIC + b"\x01\x80\x80\x80\x80\x80\x00",
    "a section size of 36 bits": MAGIC + b"\x01\xff\xff\xff\xff\x7f",
    "a section id without a size": MAGIC + b"\x01",
    "an unknown section": MAGIC + section(14, b""),
    "sections out of order": MAGIC + section(3, b"\0") + EMPTY_TYPE,
    "a section twice": MAGIC + EMPTY_TYPE + EMPTY_TYPE,
    "four billion types": MAGIC + section(1, b"\xff\xff\xff\xff\x0f"),
    "more types than bytes": MAGIC + section(1, b"\x05\x60\0\0"),
    "a type of an unknown form": MAGIC + section(1, b"\x01\x20\0\0"),
    "an unknown value type": MAGIC + section(1, b"\x01\x60\x01\x10\0"),
    "an unknown heap type": MAGIC + section(1, b"\x01\x60\x01\x63\x41\0"),
    "1001 parameters": MAGIC + section(1, b"\x01\x60" + leb(1001) + b"\x7f" * 1001 + b"\0"),
    "a parsed section of five megabytes": MAGIC + section(1, b"\x01\x60\0\0" + bytes(5 << 20)),
    "bytes left over": MAGIC + section(1, b"\x01\x60\0\0\0"),
    "an import of a missing type": MAGIC + section(2, vector([name("e") + name("f") + b"\0\0"])),
    "an import of an unknown kind": MAGIC + section(2, vector([name("e") + name("f") + b"\x09\0"])),
    "a name longer than its section": MAGIC + section(2, b"\x01\x7fabc"),
    "a name of 101 kilobytes": MAGIC + section(2, vector([name("x" * 101_000) + name("f") + b"\2\0\0"])),
    "a name that is not UTF-8": MAGIC + section(2, vector([name(b"\xff\xfe") + name("f") + b"\2\0\0"])),
    "an export of a missing function": MAGIC + section(7, vector([name("f") + b"\0\0"])),
    "an export of an unknown kind": MAGIC + section(7, vector([name("f") + b"\7\0"])),
    "the same export twice": module(exports=[("f", "()"), ("f", "()")]),
    "a start function that takes a value": MAGIC + section(1, vector([function_type("(i)")])) + section(3, b"\1\0")
    + section(8, b"\0") + section(10, b"\1\2\0\x0b"),
    "functions without bodies": MAGIC + EMPTY_TYPE + section(3, b"\1\0"),
    "bodies without functions": MAGIC + section(10, b"\1\2\0\x0b"),
    "a function of a missing type": MAGIC + EMPTY_TYPE + section(3, b"\1\1") + section(10, b"\1\2\0\x0b"),
    "a code section shorter than its count": MAGIC + b"\x0a\x01\x80\x01",
    "a custom section without a name": MAGIC + section(0, b""),
    "a custom name longer than its section": MAGIC + section(0, b"\x7fabc"),
    "a custom name that is not UTF-8": MAGIC + section(0, b"\1\xff"),
    "function names that overrun": MAGIC + custom("name", b"\x01\x05\x01\x00\x01a"),
    "function names that do not fill": MAGIC + custom("name", b"\x01\x05\x01\x00\x01ab"),
    "garbage at the end": plugin(tail=b"\xff\xff"),
    "ten thousand and one custom sections": MAGIC + custom("x") * 10_001,
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_bytes_are_refused_with_the_one_documented_error(case: str) -> None:
    with pytest.raises(MalformedModuleError) as caught:
        read(HOSTILE[case])
    assert caught.value.reason
    assert isinstance(caught.value, VerdictError)


def boundaries(content: bytes) -> list[int]:
    """Return where each section of a small module ends, the header first."""
    ends = [8]
    while ends[-1] < len(content):
        ends.append(ends[-1] + 2 + content[ends[-1] + 1])
    return ends


def test_a_module_cut_at_any_byte_is_refused_unless_no_declared_function_is_missing() -> None:
    whole = plugin(tail=custom("name", b"\x01\x04\x01\x00\x01a"))
    accepted = []
    for size in range(len(whole) + 1):
        try:
            read(whole[:size])
        except MalformedModuleError:
            continue
        accepted.append(size)
    ends = boundaries(whole)  # of: header, types, imports, functions, memory, exports, code, names
    assert accepted == [*ends[:3], *ends[-2:]]


def test_random_damage_never_gives_anything_but_the_documented_error() -> None:
    source = random.Random(20240701)
    whole = plugin(exports=[("proxy_on_request_headers", "(iii)i")], tail=custom("name", b"\x01\x04\x01\x00\x01a"))
    refused = 0
    for _ in range(5_000):
        damaged = bytearray(whole)
        for _ in range(source.randint(1, 4)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        try:
            read(bytes(damaged))
        except MalformedModuleError:
            refused += 1
    assert 1_000 < refused < 5_000


def test_random_bytes_after_the_header_never_take_long() -> None:
    source = random.Random(7)
    begin = time.process_time()
    for size in (10, 1_000, 200_000):
        for _ in range(20):
            with pytest.raises(MalformedModuleError):
                read(MAGIC + bytes([source.choice((1, 2, 3, 7))]) + leb(size) + source.randbytes(size))
    assert time.process_time() - begin < 5


def test_hundreds_of_thousands_of_types_take_seconds_at_most() -> None:
    count = 250_000
    begin = time.process_time()
    assert read(MAGIC + section(1, leb(count) + b"\x60\0\0" * count)).imports == ()
    assert time.process_time() - begin < 5


def test_a_module_larger_than_the_limit_is_refused_before_it_is_read_whole() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            Endless.given += size
            return bytes(size)

    stream = io.BytesIO(MAGIC + b"\x0b\xff\xff\xff\xff\x0f")

    class Chained:
        def read(self, size: int = -1, /) -> bytes:
            return stream.read(size) or Endless().read(size)

    with pytest.raises(MalformedModuleError, match="larger than 1000000"):
        read_module(Chained(), limit_bytes=1_000_000)
    assert Endless.given < 1_200_000


def test_an_elf_file_is_named_for_what_it_is() -> None:
    with pytest.raises(MalformedModuleError) as caught:
        read(HOSTILE["another magic"])
    assert "ELF" in caught.value.remedy
    assert "GOOS=wasip1" in caught.value.remedy


def test_names_of_functions_are_read_up_to_a_million() -> None:
    count = leb(400_000)
    names = custom("name", b"\x01" + leb(len(count) + 1_200_000) + count + b"\x01\x01a" * 400_000)
    assert read(MAGIC + names * 2).custom_sections == ("name", "name")
    for more in (names * 3, custom("name", b"\x02\x00" * 600_000) * 2):
        with pytest.raises(MalformedModuleError, match="more than 1000000 names"):
            read(MAGIC + more)
