from __future__ import annotations

import time

import pytest

from pluginyard.errors import RequestError, SourceError
from pluginyard.releases import Release, choose_release, parse_release_tag, parse_version_file
from pluginyard.releases.tag import check_language, check_version, nearest_tag, version_of_commit

LANGUAGES = ("go", "rust", "tinygo")


@pytest.mark.parametrize(
    ("tag", "name", "version"),
    [
        # the tags that the shell's cut at the first `v` and the last dash got wrong
        ("wasm-go-request-validation-v1.0.0", "request-validation", "1.0.0"),
        ("wasm-go-mcp-server-v1.0.0", "mcp-server", "1.0.0"),
        ("wasm-go-jsonrpc-converter-v1.0.0", "jsonrpc-converter", "1.0.0"),
        ("wasm-go-foo-v1-v2.0.0", "foo-v1", "2.0.0"),
        ("wasm-go-ai-proxy-v1.0.0-alpha", "ai-proxy", "1.0.0-alpha"),
        ("wasm-go-v-v0.1.0", "v", "0.1.0"),
        ("wasm-go-v1-v0.1.0-rc.1", "v1", "0.1.0-rc.1"),
        ("wasm-go-a-v1.0.0-v2.0.0", "a", "1.0.0-v2.0.0"),
        ("refs/tags/wasm-go-key_auth2-v10.20.30", "key_auth2", "10.20.30"),
    ],
)
def test_a_tag_splits_in_one_place_only(tag: str, name: str, version: str) -> None:
    release = parse_release_tag(tag)
    assert (release.language, release.name, release.version) == ("go", name, version)


@pytest.mark.parametrize(
    ("tag", "nearest"),
    [
        ("wasm-go-foo-v1.0.0+build1", "wasm-go-foo-v1.0.0"),
        ("wasm-go-Foo-v1.0.0", "wasm-go-foo-v1.0.0"),
        ("wasm-go-Request-block-v1.0.0+b", "wasm-go-request-block-v1.0.0"),
        ("wasm-go-foo-v1-V2.0", "wasm-go-foo-v1-v2.0.0"),
        ("wasm-go-foo.bar-v1.0.0-RC.1", "wasm-go-foo-bar-v1.0.0-rc.1"),
        ("wasm-go-foo/bar-v1.0.0", "wasm-go-foo-bar-v1.0.0"),
        ("wasm-go-foo-v", "wasm-go-foo-v1.0.0"),
        ("wasm-go-foo", "wasm-go-foo-v1.0.0"),
        ("wasm-go-foo-v1.2", "wasm-go-foo-v1.2.0"),
        ("wasm-go-foo-v1.2.3.4", "wasm-go-foo-v1.2.3"),
        ("wasm-go-foo-v01.2.3", "wasm-go-foo-v1.2.3"),
        ("wasm-go-foo-1.2.3", "wasm-go-foo-v1.2.3"),
        ("wasm-go-request-block-v-1.0.0", "wasm-go-request-block-v1.0.0"),
        ("wasm-go-foo-v1.0.0-01", "wasm-go-foo-v1.0.0-1"),
        ("wasm-go-foo-v1.0.0-rc.01", "wasm-go-foo-v1.0.0-rc.1"),
    ],
)
def test_a_bad_tag_is_refused_with_the_nearest_valid_one(tag: str, nearest: str) -> None:
    with pytest.raises(RequestError) as refusal:
        parse_release_tag(tag)
    assert nearest_tag(tag) == nearest
    assert f"nearest: {nearest}" in refusal.value.remedy


@pytest.mark.parametrize(
    "tag",
    ["", "v1.0.0", "wasm-go-x$(id)-v1.0.0", "wasm-go-a;b-v1.0.0", "wasm-go-..-v1.0.0", "wasm-go-a/../b-v1.0.0",
     "wasm-go-a b-v1.0.0",
     "wasm-go-x-v1.0.0\n", "wasm-go-`id`-v1.0.0", "wasm-go-x-v１.0.0"],
)  # fmt: skip
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(RequestError):
        parse_release_tag(tag)


@pytest.mark.parametrize(
    "tag", ["wasm-go-a-v" + "9" * 5000 + ".0.0", "wasm-go-" + "a-" * 50000 + "v1", "wasm-go-a-v1." + "0" * 5000]
)
def test_what_is_longer_than_any_tag_is_refused_at_once(tag: str) -> None:
    begun = time.process_time()
    with pytest.raises(RequestError, match="not a release tag") as refusal:
        parse_release_tag(tag)
    assert time.process_time() - begun < 0.1
    assert len(str(refusal.value)) < 500


def test_a_version_file_may_come_from_windows() -> None:
    assert parse_version_file("\ufeff1.2.3\r\n".encode(), subject="a/VERSION") == "1.2.3"


@pytest.mark.parametrize("content", ["1.2.3\n".encode("utf-16"), b"1.2.3\xa0\n", b"\xff"])
def test_a_version_file_that_is_not_utf_8_says_so_with_its_path(content: bytes) -> None:
    with pytest.raises(SourceError, match="a/VERSION: the file is not UTF-8\n  remedy: save it as UTF-8"):
        parse_version_file(content, subject="a/VERSION")


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0+b", "latest", "1.0.0\r\n2.0.0", "", "9" * 5000])
def test_a_version_that_is_none_is_told_with_the_file_that_says_it(version: str) -> None:
    with pytest.raises(RequestError) as refusal:
        check_version(version, subject="plugins/x/VERSION")
    assert str(refusal.value).startswith("plugins/x/VERSION: ")
    assert len(str(refusal.value)) < 300


def test_a_language_without_a_folder_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(RequestError, match="use rust"):
        check_language("rusty", LANGUAGES, subject="x")


@pytest.mark.parametrize(
    ("name", "version", "remedy"),
    [
        ("Request_Block", "1.0.0", "try request_block"),
        ("a/b", "1.0.0", "try a-b"),
        ("..", "1.0.0", "folder"),
        ("x", "v1.0.0", "write 1.0.0"),
        ("x", "1.0.0+b", "write 1.0.0"),
        ("x", "1.0", ""),
    ],
)
def test_a_bad_name_or_version_is_refused(name: str, version: str, remedy: str) -> None:
    with pytest.raises(RequestError) as refusal:
        choose_release("go", name, version)
    assert remedy in refusal.value.remedy


def test_a_release_without_a_version_waits_for_the_source() -> None:
    assert choose_release("go", "x", "") == Release("go", "x")
    assert version_of_commit(1720411200, "abcdef0123456789") == "20240708-040000-abcdef0"
