"""What a build sends on its standard output: a file of its own, whole, or nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pluginyard.errors import BuildError
from tasks.doors.containers.outputs import ModuleReceiver
from tasks.doors.module_file import ModuleFile
from tests.unit.builds.test_recipe import plan

MODULE = b"\0asm\nof two lines\n"


def receive(target: Path, *blocks: bytes) -> bytes:
    with ModuleFile(plan(), target) as file:
        module = ModuleReceiver(plan(), file)
        for block in blocks:
            module.feed(block)
        kept = module.keep()
    assert kept.digest == f"sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}"
    assert kept.size == target.stat().st_size
    return target.read_bytes()


@pytest.mark.parametrize("length", [1, 3, 7, 1000])
def test_the_module_is_what_follows_the_line_however_it_is_cut(length: int, tmp_path: Path) -> None:
    sent = b"file %d\n%s" % (len(MODULE), MODULE)
    blocks = [sent[start : start + length] for start in range(0, len(sent), length)]
    assert receive(tmp_path / "plugin.wasm", *blocks) == MODULE
    assert list(tmp_path.iterdir()) == [tmp_path / "plugin.wasm"]


@pytest.mark.parametrize(
    ("blocks", "why"),
    [
        ([b"file 18\n", MODULE[:-1]], "did not arrive whole"),
        ([b"file 18\n", MODULE, b"x"], "grew while it was read"),
        ([b"file 18"], "did not arrive whole"),
        ([], "did not arrive whole"),
        ([b"x" * 10_000, b"y" * 10_000], "did not arrive whole"),
        ([b"link /etc/shadow\n"], "is a link to /etc/shadow"),
        ([b"folder\n"], "is a folder"),
        ([b"nothing\n"], "is missing"),
        ([b"other\n"], "is no regular file"),
        ([b"\0asm\n"], "is no regular file"),
        ([b"file 99999999999\n"], "is 99999999999 bytes long"),
        ([b"file -1\n"], "is -1 bytes long"),
        ([b"file \xff\n"], "bytes long"),
    ],
)
def test_anything_else_leaves_nothing(blocks: list[bytes], why: str, tmp_path: Path) -> None:
    (tmp_path / "plugin.wasm").write_bytes(b"earlier")
    with pytest.raises(BuildError, match=why):
        receive(tmp_path / "plugin.wasm", *blocks)
    assert [path.name for path in tmp_path.iterdir()] == ["plugin.wasm"]
    assert (tmp_path / "plugin.wasm").read_bytes() == b"earlier"
