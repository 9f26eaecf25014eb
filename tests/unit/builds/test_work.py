"""What lies below a build's root: just what the commit and the builder have, and nothing outside of it."""

from __future__ import annotations

import pytest

from pluginyard.builds import WorkFile, lay_out_work
from pluginyard.builds.work import FOLDERS
from pluginyard.errors import SourceError
from pluginyard.sources import EXECUTABLE, LINK, REGULAR, SourceFile


def laid_out(*source: tuple[str, str, bytes]) -> list[WorkFile]:
    files = [(SourceFile(path, mode, ""), content) for path, mode, content in source]
    return list(lay_out_work({"fetch.sh": b"#!"}, files))


def test_the_root_holds_its_folders_the_scripts_and_the_source_each_folder_before_what_is_in_it() -> None:
    work = laid_out(("a/b/main.go", REGULAR, b"x"), ("a/run.sh", EXECUTABLE, b"y"), ("a/b/link", LINK, b"../run.sh"))
    assert [item.path for item in work[: len(FOLDERS)]] == list(FOLDERS)
    assert work[len(FOLDERS) :] == [
        WorkFile("builder/fetch.sh", "program", b"#!"),
        WorkFile("src/a", "folder"),
        WorkFile("src/a/b", "folder"),
        WorkFile("src/a/b/main.go", "file", b"x"),
        WorkFile("src/a/run.sh", "program", b"y"),
        WorkFile("src/a/b/link", "link", b"../run.sh"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        [("../outside", REGULAR, b"")],
        [("/tmp/outside", REGULAR, b"")],
        [("a/../../outside", REGULAR, b"")],
        [("a/../b", REGULAR, b"")],
        [("..", REGULAR, b"")],
        [("link", LINK, b"/etc/passwd")],
        [("a/link", LINK, b"../../outside")],
        [("a", LINK, b"b"), ("a/file", REGULAR, b"")],
        [("a", REGULAR, b""), ("a/file", REGULAR, b"")],
    ],
)
def test_what_would_lie_outside_is_refused(source: list[tuple[str, str, bytes]]) -> None:
    with pytest.raises(SourceError, match="leaves the repository"):
        laid_out(*source)


def test_what_a_script_prepared_replaces_what_the_commit_has() -> None:
    own, made = SourceFile("a/made.bin", REGULAR, ""), SourceFile("a/new/made.bin", REGULAR, "")
    work = list(lay_out_work({}, [(own, b"committed")], [(own, b"made"), (made, b"new")]))[len(FOLDERS) :]
    assert [item.path for item in work] == ["src/a", "src/a/made.bin", "src/a/new", "src/a/new/made.bin"]
    assert work[1].content == b"made"


def test_a_path_that_is_there_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="there twice"):
        laid_out(("a", REGULAR, b"1"), ("a", REGULAR, b"2"))


def test_a_git_lfs_pointer_is_refused_for_the_compiler_would_read_the_pointer() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    with pytest.raises(SourceError, match="Git LFS pointer") as raised:
        laid_out(("data.bin", REGULAR, pointer))
    assert raised.value.subject == "data.bin"
    assert laid_out(("notes.md", REGULAR, pointer + b"x" * 1024))[-1].path == "src/notes.md"
