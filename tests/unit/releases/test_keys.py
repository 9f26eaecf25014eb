from __future__ import annotations

import pytest

from pluginyard.releases import release_key, stands_for
from pluginyard.releases.keys import name_repository

TAG = "wasm-go-request-block-v1.0.0"
COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/Acme/plugins.git",
        "https://github.com/Acme/plugins",
        "https://github.com/Acme/plugins/",
        "git@github.com:Acme/plugins.git",
        "ssh://git@github.com:22/Acme/plugins.git",
    ],
)
def test_however_a_repository_is_cloned_its_tag_has_one_key(address: str) -> None:
    assert release_key(address, TAG) == f"release:acme/plugins:{TAG}"
    assert release_key(address, TAG, COMMIT) == f"release:acme/plugins:{TAG}:{COMMIT}"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/srv/git/Acme/plugins.git/", "/srv/git/Acme/plugins"),
        ("file:///acme/plugins", "file:///acme/plugins"),
        ("https://gitlab.com/a/b/c.git", "https://gitlab.com/a/b/c"),
        (".", "."),
    ],
)
def test_an_address_that_is_not_owner_and_name_stands_for_itself(address: str, name: str) -> None:
    assert name_repository(address) == name


@pytest.mark.parametrize(
    ("recorded", "failed", "expected"),
    [
        (COMMIT, False, True),
        (COMMIT, True, True),
        (OTHER, False, False),
        (OTHER, True, False),
        ("", False, True),
        ("", True, False),
    ],
)
def test_a_run_stands_for_the_commit_it_was_started_for(recorded: str, failed: bool, expected: bool) -> None:
    assert stands_for(recorded, COMMIT, failed=failed) is expected
