from __future__ import annotations

import gzip
import io
import random
import tarfile
import time
import tracemalloc
import zlib

import pytest

from pluginyard.gateways.judge import open_archive
from pluginyard.gateways.judge.gunzip import ArchiveFaultError, Gunzip
from tests.machine.artifact_builder import tar_of

LIMIT = 1 << 20


def entries(content: bytes, limit: int = LIMIT) -> list[tuple[str, int, str]]:
    return [(e.name, e.size, e.kind) for e in open_archive(io.BytesIO(content), limit)]


def fault(content: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(ArchiveFaultError) as caught:
        entries(content, limit)
    return caught.value.reason


def content_of(archive: bytes, name: str) -> bytes:
    reader = open_archive(io.BytesIO(archive), LIMIT)
    for entry in reader:
        if entry.name == name:
            return reader.read()
    raise AssertionError(name)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_entries_are_those_python_itself_finds(form: int) -> None:
    out = io.BytesIO()
    names = (
        ["a", "b" * 90 + "/" + "c" * 90, "d" * 300, "ü/plugin.wasm"] if form != tarfile.USTAR_FORMAT else ["a", "b/c"]
    )
    with tarfile.open(fileobj=out, mode="w:gz", format=form) as archive:
        for i, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = i * 511
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    assert entries(out.getvalue()) == [(name, i * 511, "file") for i, name in enumerate(names)]


def test_the_content_of_an_entry_is_read_whole_and_no_more() -> None:
    packed = gzip.compress(tar_of(("x", b"1" * 700), ("plugin.wasm", b"abc"), ("y", b"2")))
    assert content_of(packed, "plugin.wasm") == b"abc"
    assert content_of(packed, "x") == b"1" * 700


def test_a_stream_of_several_gzip_members_is_one_stream() -> None:
    whole = tar_of(("plugin.wasm", b"abc" * 1000))
    packed = gzip.compress(whole[:600]) + gzip.compress(whole[600:])
    assert content_of(packed, "plugin.wasm") == b"abc" * 1000


def test_an_entry_of_every_kind_is_named() -> None:
    kinds = {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link", tarfile.DIRTYPE: "directory"}
    kinds |= {tarfile.FIFOTYPE: "pipe", tarfile.CHRTYPE: "device"}
    for flag, kind in kinds.items():
        packed = gzip.compress(tar_of(("plugin.wasm", b"", {"type": flag, "linkname": "x"})))
        assert [e[2] for e in entries(packed)] == [kind]


def header(
    name: bytes = b"plugin.wasm", size: bytes = b"00000000000\0", flag: bytes = b"0", prefix: bytes = b""
) -> bytes:
    """Return a tar header with the right checksum and any lie in it."""
    raw = bytearray(512)
    raw[0:100] = name.ljust(100, b"\0")
    raw[100:108] = b"0000644\0"
    raw[124:136] = size
    raw[148:156] = b" " * 8
    raw[156:157] = flag
    raw[257:265] = b"ustar\00000"
    raw[345:500] = prefix.ljust(155, b"\0")
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


PAX_SPARSE = b"22 GNU.sparse.major=1\n"
HOSTILE = {
    "nothing": (b"", "failed to parse layer as tar.gz: EOF"),
    "no gzip": (tar_of(("plugin.wasm", b"x")), "failed to parse layer as tar.gz: gzip: invalid header"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "failed to parse layer as tar.gz: gzip: invalid header"),
    "a cut gzip header": (b"\x1f\x8b\x08", "failed to parse layer as tar.gz: unexpected EOF"),
    "a cut gzip stream": (gzip.compress(tar_of(("x", random.Random(1).randbytes(9000))))[:5000], "unexpected EOF"),
    "a damaged gzip stream": (gzip.compress(bytes(9000))[:12] + b"\xff" * 40, "flate: corrupt input"),
    "a wrong checksum of gzip": (gzip.compress(tar_of(("x", b"1"))[:1024])[:-8] + bytes(8), "gzip: invalid checksum"),
    "something after gzip": (gzip.compress(tar_of(("x", b"1"))[:1024]) + b"garbage!", "gzip: invalid header"),
    "thousands of gzip members": (gzip.compress(b"") * 5_000, "refused by pluginyard"),
    "no tar": (gzip.compress(b"x" * 2048), "archive/tar: invalid tar header"),
    "a cut tar header": (gzip.compress(header()[:300]), "unexpected EOF"),
    "a cut file": (gzip.compress(header(size=b"00000001000\0") + b"abc"), "unexpected EOF"),
    "a wrong checksum of tar": (gzip.compress(header().replace(b"pl", b"Pl")), "archive/tar: invalid tar header"),
    "a size that is not octal": (gzip.compress(header(size=b"99999999999\0")), "archive/tar: invalid tar header"),
    "a negative size": (gzip.compress(header(size=b"\xff" * 12)), "archive/tar: invalid tar header"),
    "a size of 2 to the 80": (gzip.compress(header(size=b"\x80\0" + b"\xff" * 10)), "archive/tar: invalid tar header"),
    "an empty header before another entry": (gzip.compress(bytes(512) + header()), "archive/tar: invalid tar header"),
    "a pax header of two megabytes": (
        gzip.compress(header(flag=b"x", size=b"00010000000\0") + bytes(2 << 20)),
        "archive/tar: header field too long",
    ),
    "a pax header of eight exabytes": (
        gzip.compress(header(flag=b"L", size=b"\x80\0\0\0\x6f" + b"\xff" * 7)),
        "archive/tar: header field too long",
    ),
    "a pax record that lies about its length": (
        gzip.compress(header(flag=b"x", size=b"00000000012\0") + b"99 path=a\n".ljust(512, b"\0") + header()),
        "archive/tar: invalid tar header",
    ),
    "a pax size that is no number": (
        gzip.compress(header(flag=b"x", size=b"00000000013\0") + b"11 size=-1\n".ljust(512, b"\0") + header()),
        "archive/tar: invalid tar header",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused_with_the_words_of_the_gateway(case: str) -> None:
    content, said = HOSTILE[case]
    assert fault(content) == said


def test_a_pax_header_marks_a_sparse_file() -> None:
    packed = gzip.compress(
        header(flag=b"x", size=b"%011o\0" % len(PAX_SPARSE)) + PAX_SPARSE.ljust(512, b"\0") + header() + bytes(1024)
    )
    assert entries(packed) == [("plugin.wasm", 0, "sparse file")]


def extended(*records: bytes, flag: bytes = b"x") -> bytes:
    """Return an extension header, pax records or a GNU name, with its content."""
    content = b"".join(records)
    return header(flag=flag, size=b"%011o\0" % len(content)) + content.ljust(-(-len(content) // 512) * 512, b"\0")


@pytest.mark.parametrize(
    ("before", "name", "kind"),
    [
        ([extended(b"10 path=a\n"), extended(b"10 path=b\n")], "b", "file"),
        ([extended(b"10 path=a\n"), extended(b"13 comment=b\n")], "plugin.wasm", "file"),
        ([extended(b"22 GNU.sparse.major=1\n"), extended(b"10 path=b\n")], "b", "file"),
        ([extended(b"10 path=a\n"), extended(b"l\0", flag=b"L")], "l", "file"),
        ([extended(b"l\0", flag=b"L"), extended(b"10 path=a\n")], "l", "file"),
        ([extended(b"l\0", flag=b"L"), extended(b"\0", flag=b"L"), extended(b"10 path=a\n")], "a", "file"),
        ([extended(b"8 path=\n")], "plugin.wasm", "file"),
        ([extended(b"21 GNU.sparse.name=a\n")], "plugin.wasm", "sparse file"),
    ],
)
def test_of_several_extension_headers_the_last_of_its_kind_counts_as_in_go(
    before: list[bytes], name: str, kind: str
) -> None:
    assert entries(gzip.compress(b"".join(before) + header() + bytes(1024))) == [(name, 0, kind)]


def test_extension_headers_do_not_pile_up_in_memory() -> None:
    def records(start: int) -> bytes:
        return b"".join(b"%d k%07d=%s\n" % (120, start + number, b"v" * 106) for number in range(4_000))

    headers = (extended(records(8_000 * number)) for number in range(12))
    packed = gzip.compress(b"".join(headers) + header() + bytes(1024), 1)
    tracemalloc.start()
    found = entries(packed, 1 << 30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [("plugin.wasm", 0, "file")]
    assert peak < 3 << 20


def test_a_header_of_tens_of_thousands_of_records_is_refused() -> None:
    assert fault(gzip.compress(extended(b"6 a=b\n" * 20_000)), 1 << 30) == "refused by pluginyard"


def test_a_hundred_thousand_entries_are_walked_over_in_seconds() -> None:
    packed = gzip.compress(header(b"x") * 100_000, 1)
    began = time.process_time()
    assert len(entries(packed, 1 << 30)) == 100_000
    assert time.process_time() - began < 4


def test_the_checksum_of_old_writers_is_taken() -> None:
    raw = bytearray(header("ü".encode()))
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in raw)
    assert entries(gzip.compress(bytes(raw)))[0][0] == "ü"


def test_a_link_has_no_content_whatever_it_announces() -> None:
    packed = gzip.compress(header(b"l", b"00000001000\0", b"2") + header(b"a") + bytes(1024))
    assert entries(packed) == [("l", 512, "symbolic link"), ("a", 0, "file")]


def test_a_global_header_is_an_entry_without_content() -> None:
    record = b"19 comment=abcdefg\n"
    packed = gzip.compress(
        header(b"pax_global_header", b"%011o\0" % len(record), b"g")
        + record.ljust(512, b"\0")
        + header(b"a")
        + bytes(1024)
    )
    assert [(name, kind) for name, _, kind in entries(packed)] == [
        ("pax_global_header", "global header"),
        ("a", "file"),
    ]


def test_the_prefix_of_ustar_stands_before_the_name() -> None:
    assert entries(gzip.compress(header(prefix=b"deep/er")))[0][0] == "deep/er/plugin.wasm"


def test_a_name_that_ends_in_a_slash_is_a_directory() -> None:
    assert entries(gzip.compress(header(b"plugin.wasm/")))[0][2] == "directory"


def test_decompressed_bytes_beyond_the_limit_are_not_read() -> None:
    bomb = gzip.compress(header(size=b"\x80" + (1 << 33).to_bytes(11, "big")) + bytes(50_000_000))
    assert len(bomb) < 60_000
    assert fault(bomb) == "unexpected EOF"
    # Cut exactly between two entries, the end looks like an end.
    assert entries(gzip.compress(tar_of(("a", bytes(512)), ("b", b""))), limit=1024) == [("a", 512, "file")]


def test_a_bomb_never_fills_the_memory() -> None:
    deflate = zlib.compressobj(9, wbits=31)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(200)) + deflate.flush()
    tracemalloc.start()
    stream = Gunzip(io.BytesIO(bomb), 1 << 30)
    total = 0
    while block := stream.read(1 << 16):
        total += len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 200 << 20
    assert peak < 2 << 20


def test_an_archive_cut_at_any_byte_gives_the_one_fault() -> None:
    packed = gzip.compress(tar_of(("./plugin.wasm", b"\0asm" * 40))[:1024])
    for size in range(len(packed)):
        with pytest.raises(ArchiveFaultError):
            entries(packed[:size])


def test_random_damage_gives_an_end_or_the_one_fault() -> None:
    source = random.Random(11)
    plain = tar_of(("a", b"1" * 600), ("plugin.wasm", b"\0asm" * 40), ("c" * 200, b"3"))
    for _ in range(1_500):
        damaged = bytearray(plain)
        for _ in range(source.randint(1, 5)):
            damaged[source.randrange(2048)] = source.randrange(256)
        packed = bytearray(gzip.compress(bytes(damaged), 1))
        if source.random() < 0.3:
            packed[source.randrange(10, len(packed))] ^= 1 << source.randrange(8)
        try:
            entries(bytes(packed))
        except ArchiveFaultError:
            continue
