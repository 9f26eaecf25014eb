"""Objects of git as bytes: what they hold, and that they are what their ids say."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress

import pytest

from pluginyard.errors import SourceError
from pluginyard.sources import EXECUTABLE, LINK, GitObject, SourceFile, is_id, parse_folder
from pluginyard.sources.tree import REGULAR, SUBMODULE

BLOB = "ce013625030ba8dba906f756967f9e9ca394464a"
COMMIT = b"""tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
parent 0123456789012345678901234567890123456789
author A > B <a@example.com> 1 +0000
committer C > 7 <c@example.com> 1767225600 +0200
gpgsig -----BEGIN PGP SIGNATURE-----
 committer X <x@example.com> 5 +0000

committer Y <y@example.com> 6 +0000
"""


def tree(*entries: tuple[bytes, bytes]) -> GitObject:
    return GitObject(
        "tree", "0" * 40, b"".join(mode + b" " + name + b"\0" + bytes.fromhex(BLOB) for mode, name in entries)
    )


def test_an_object_is_what_its_id_says_by_either_hash() -> None:
    assert GitObject("blob", BLOB, b"hello\n").is_what_its_id_says
    assert not GitObject("blob", BLOB, b"hello!\n").is_what_its_id_says
    assert not GitObject("tag", BLOB, b"hello\n").is_what_its_id_says
    long = hashlib.sha256(b"blob 6\0hello\n").hexdigest()
    assert GitObject("blob", long, b"hello\n").is_what_its_id_says
    assert [is_id(text) for text in (BLOB, long, BLOB[:-1], BLOB.upper(), f"{BLOB}\n", "HEAD")] == [True, True] + [
        False
    ] * 4


def test_a_commit_is_read_by_its_header_alone() -> None:
    commit = GitObject("commit", "1" * 40, COMMIT)
    assert commit.link(b"tree") == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert commit.seconds(b"committer") == 1767225600
    assert commit.seconds(b"tagger") is None
    with pytest.raises(SourceError, match="it names no object"):
        commit.link(b"object")


@pytest.mark.parametrize("time", ["253402300800", "-1", "1e9", "", "\u0663", "9" * 5000, "0x1"])
def test_a_time_that_no_calendar_has_is_refused(time: str) -> None:
    commit = GitObject("commit", "1" * 40, f"committer C <c@example.com> {time} +0000\n\n".encode())
    with pytest.raises(SourceError, match="which is no date"):
        commit.seconds(b"committer")


def test_a_folder_has_files_and_folders_with_the_modes_that_git_reads() -> None:
    modes = (
        (b"100644", b"a"),
        (b"100664", b"b"),
        (b"100755", b"c"),
        (b"120000", b"d"),
        (b"160000", b"e"),
        (b"40000", b"f"),
    )
    found = parse_folder(tree(*modes), "x")
    expected = {"x/a": REGULAR, "x/b": REGULAR, "x/c": EXECUTABLE, "x/d": LINK, "x/e": SUBMODULE}
    assert found.files == tuple(SourceFile(path, mode, BLOB) for path, mode in expected.items())
    assert found.folders == (("x/f", BLOB),)
    assert parse_folder(tree((b"100644", b"\xff")), "").files[0].path == "\udcff"


def test_no_bytes_make_more_of_a_folder_than_an_error() -> None:
    chosen = random.Random(10)
    whole = tree((b"100644", b"name"), (b"40000", b"folder"), (b"120000", b"link")).content
    for _ in range(20_000):
        content = bytearray(whole)
        for _ in range(chosen.randrange(1, 6)):
            content[chosen.randrange(len(content))] = chosen.randrange(256)
        del content[chosen.randrange(len(content) + 1) :]
        with suppress(SourceError):
            folder = parse_folder(GitObject("tree", "0" * 40, bytes(content)), "top")
            assert all(file.path.startswith("top/") and "/../" not in file.path for file in folder.files)
