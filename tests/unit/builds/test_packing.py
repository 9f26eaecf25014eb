from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import sys
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pluginyard.builds import pack_module, packing
from pluginyard.oci import ARCHIVE_LAYER, Descriptor, digest_of


def pack(content: bytes, **options: Any) -> tuple[Descriptor, bytes]:
    target = io.BytesIO()
    return pack_module(io.BytesIO(content), len(content), target, **options), target.getvalue()


def test_the_archive_holds_one_regular_file_without_a_trace_of_this_machine() -> None:
    descriptor, archive = pack(b"\0asm\1\0\0\0")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (member,) = tar.getmembers()
        assert tar.extractfile(member).read() == b"\0asm\1\0\0\0"
    assert (member.name, member.mode, member.mtime, member.uid, member.gid, member.uname) == (
        "plugin.wasm",
        0o644,
        0,
        0,
        0,
        "",
    )
    assert archive[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "gzip header: no time, no name, unknown system"
    assert descriptor.media_type == ARCHIVE_LAYER
    assert (descriptor.digest, descriptor.size) == (digest_of(archive), len(archive))


def test_the_same_module_gives_the_same_bytes_in_another_process_and_time_zone() -> None:
    script = (
        "import io,sys;from pluginyard.builds.packing import pack_module;c=bytes(range(256))*4000;"
        "sys.stdout.write(pack_module(io.BytesIO(c),len(c),io.BytesIO()).digest)"
    )
    environment = dict(os.environ) | {"TZ": "Pacific/Auckland", "PYTHONPATH": ".", "SOURCE_DATE_EPOCH": "1"}
    other = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout == pack(bytes(range(256)) * 4000)[0].digest


def test_the_tar_within_is_whole_blocks_with_two_empty_ones_at_the_end() -> None:
    for size in (0, 1, 511, 512, 513):
        plain = gzip.decompress(pack(b"x" * size)[1])
        assert len(plain) % 512 == 0
        assert plain.endswith(bytes(1024))
        assert len(plain) == 512 + -(-size // 512) * 512 + 1024


def test_a_module_of_many_pieces_is_one_stream_of_bytes_that_threads_do_not_change() -> None:
    content = random.Random(7).randbytes(300_000) * 4
    for size in (packing._PIECE - 512, packing._PIECE, packing._PIECE + 1, len(content)):
        together = pack(content[:size])
        plain = zlib.decompressobj(zlib.MAX_WBITS | 16)
        with tarfile.open(fileobj=io.BytesIO(plain.decompress(together[1]))) as tar:
            assert tar.extractfile("plugin.wasm").read() == content[:size]
        assert (plain.eof, plain.unused_data) == (True, b"")
        with ThreadPoolExecutor(3) as pool:
            assert pack(content[:size], compress=pool.map) == together


def test_a_piece_is_compressed_with_what_came_before_it() -> None:
    beginning = random.Random(7).randbytes(packing._WINDOW // 2)
    repeated = beginning * (2 * packing._PIECE // len(beginning))
    assert pack(repeated)[0].size < 2 * len(beginning)
