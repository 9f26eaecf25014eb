"""Tags of real repositories, in place and through a mirror of a git daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluginyard.errors import SourceError
from tasks.doors.sources import read_git_tags
from tests.machine.example_repository import git
from tests.machine.git_daemon import serve_git

Address = Callable[[Path], str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "served" / "plugins"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "first")
    return folder


@pytest.fixture(params=["path", "daemon"])
def address(request: pytest.FixtureRequest, repository: Path) -> Iterator[str]:
    if request.param == "path":
        yield str(repository)
    else:
        with serve_git(repository.parent) as daemon:
            yield daemon.url(repository)


def test_every_kind_of_tag_is_pinned_to_its_commit(repository: Path, address: str, tmp_path: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "plain")
    git(repository, "tag", "--annotate", "annotated", "--message", "a")
    git(repository, "tag", "--annotate", "of-a-tag", "annotated", "--message", "b")
    git(repository, "tag", "in/a/folder")
    git(repository, "tag", "of-a-tree", "HEAD^{tree}")
    git(repository, "tag", "--annotate", "of-a-tree-in-two-steps", "of-a-tree", "--message", "c")
    git(repository, "tag", "--annotate", "in-three", "of-a-tree-in-two-steps", "--message", "d")
    found = {tag.name: tag for tag in read_git_tags(address, cache=tmp_path / "cache")}
    assert {name: tag.source.commit for name, tag in found.items()} == dict.fromkeys(
        ("plain", "annotated", "of-a-tag", "in/a/folder"), head
    )
    assert {tag.tagged for tag in found.values()} == {1767225600}
    assert {tag.source.commit_time for tag in found.values()} == {1767225600}


def test_tags_that_come_move_and_go_are_followed(repository: Path, address: str, tmp_path: Path) -> None:
    def commits() -> dict[str, str]:
        return {tag.name: tag.source.commit for tag in read_git_tags(address, cache=tmp_path / "cache")}

    assert commits() == {}
    git(repository, "tag", "one")
    git(repository, "tag", "two")
    first = git(repository, "rev-parse", "HEAD")
    assert commits() == {"one": first, "two": first}
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "second")
    git(repository, "tag", "--force", "one")
    git(repository, "tag", "--delete", "two")
    assert commits() == {"one": git(repository, "rev-parse", "HEAD")}


def test_a_tag_made_late_has_its_own_time(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.machine.example_repository._GIT_ENVIRONMENT", _later())
    git(repository, "tag", "--annotate", "late", "--message", "late")
    git(repository, "tag", "plain")
    found = {tag.name: tag.tagged for tag in read_git_tags(str(repository), cache=tmp_path / "cache")}
    assert found == {"late": 1800000000, "plain": 1767225600}


def test_what_is_no_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        read_git_tags(str(tmp_path / "nowhere"), cache=tmp_path)


def _later() -> dict[str, str]:
    from tests.machine.example_repository import _GIT_ENVIRONMENT

    return {**_GIT_ENVIRONMENT, "GIT_COMMITTER_DATE": "1800000000 +0000"}
