"""Digests are put together, counted and checked in one place."""

from __future__ import annotations

import hashlib
import io

import pytest

from pluginyard.errors import RegistryError
from pluginyard.oci import HashedCount, check_digest, digest_from, digest_of, digest_of_file, hex_of

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_way_to_a_digest_gives_the_same() -> None:
    passed = HashedCount()
    assert passed.digest == EMPTY
    assert passed.add(b"ab") + passed.add(b"c") == b"abc"
    ways = {passed.digest, digest_of(b"abc"), digest_from(hashlib.sha256(b"abc"))}
    ways.add(digest_of_file(io.BufferedReader(io.BytesIO(b"abc"))))
    assert ways == {f"sha256:{hex_of(passed.digest)}"}
    assert passed.count == 3


@pytest.mark.parametrize("text", ["", "sha256:", EMPTY[:-1], EMPTY.upper(), f"{EMPTY}\n", "sha512:aa", "../x"])
def test_what_is_no_sha256_digest_never_becomes_a_path_or_an_address(text: str) -> None:
    with pytest.raises(RegistryError, match="not a sha256 digest"):
        check_digest(text, "r")
    assert check_digest(EMPTY, "r") == EMPTY
