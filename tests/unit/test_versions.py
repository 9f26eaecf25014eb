"""Versions are parsed and ordered as semver.org 2.0.0 says."""

from __future__ import annotations

import random

import pytest

from pluginyard.errors import RequestError
from pluginyard.versions import SemVer, find_semver, parse_semver

# semver.org 2.0.0, item 11: the example of the specification, extended by numbers.
ASCENDING = [
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-11",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-alpha-1",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0-rc.1",
    "2.0.0",
    "10.0.0",
]


def test_versions_are_ordered_by_precedence() -> None:
    shuffled = [parse_semver(text) for text in ASCENDING]
    random.Random(7).shuffle(shuffled)
    assert [str(version) for version in sorted(shuffled)] == ASCENDING


@pytest.mark.parametrize("text", ASCENDING)
def test_a_version_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_semver(text)) == text


NO_VERSIONS = (
    *("", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-01", "1.2.3-a..b"),
    *(" 1.2.3", "1.2.3\n", "1.2.3-ä", "1.2.3_1", "x.y.z", "-1.2.3", "1.2.3-+b", "١.٢.٣", f"1.{9:9<200}.0"),
)


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="semantic version"):
        parse_semver(text)
    assert find_semver(text) is None


def test_build_metadata_is_refused_with_the_nearest_version_that_is_legal() -> None:
    with pytest.raises(RequestError, match="build metadata") as caught:
        parse_semver("1.2.3-rc.1+build.5")
    assert caught.value.remedy == "write 1.2.3-rc.1"


def test_only_a_version_without_pre_release_is_stable() -> None:
    assert parse_semver("0.1.0").is_stable
    assert not parse_semver("1.0.0-rc.1").is_stable


def test_equal_versions_are_equal_and_hash_alike() -> None:
    assert parse_semver("1.2.3-a.1") == SemVer(1, 2, 3, "a.1")
    assert len({parse_semver("1.2.3"), SemVer(1, 2, 3)}) == 1
