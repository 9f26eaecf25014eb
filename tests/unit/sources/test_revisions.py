from __future__ import annotations

import pytest

from pluginyard.errors import SourceError
from pluginyard.sources import choose_refspecs, choose_revisions, is_url


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("https://git.example/r.git", True),
        ("ssh://git@git.example/r", True),
        ("git@git.example:acme/r.git", True),
        ("file:///srv/r", True),
        ("ext::sh -c touch% pwned a@b:c", False),
        ("/srv/r", False),
        (".", False),
        ("C:/r", False),
    ],
)
def test_an_address_is_fetched_and_all_else_is_a_folder(repository: str, url: bool) -> None:
    assert is_url(repository) is url


def test_a_ref_is_what_git_calls_it_else_a_branch_else_a_branch_of_the_remote() -> None:
    assert choose_revisions("", "") == ("HEAD",)
    assert choose_revisions("v1", "main") == ("refs/tags/v1",)
    assert choose_revisions("", "main") == ("main", "refs/heads/main", "refs/remotes/origin/main")
    with pytest.raises(SourceError, match="does not begin with -"):
        choose_revisions("", "--upload-pack=x")


@pytest.mark.parametrize("ref", ["", "main", "refs/heads/main", "refs/tags/v1", "0123456"])
def test_a_mirror_brings_branches_and_tags_and_a_full_name_of_another_kind(ref: str) -> None:
    usual = choose_refspecs("")
    assert len(usual) == 3
    assert choose_refspecs(ref) == usual
    assert choose_refspecs("refs/pull/7/head") == (*usual, "+refs/pull/7/head:refs/pull/7/head")
