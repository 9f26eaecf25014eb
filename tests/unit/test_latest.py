"""`latest` moves forward, and only to stable versions."""

from __future__ import annotations

import pytest

from pluginyard.versions import choose_latest, choose_newest_stable


@pytest.mark.parametrize(
    ("version", "tags", "latest_version", "moves"),
    [
        ("1.0.0", [], "", True),
        ("1.0.0", ["1.0.0"], "1.0.0", True),
        ("1.10.0", ["1.9.0", "latest"], "1.9.0", True),
        ("1.9.1", ["1.9.0", "1.10.0"], "1.10.0", False),
        ("1.9.1", ["1.9.0"], "1.10.0", False),
        ("1.9.1", ["1.9.0", "1.10.0"], "", False),
        ("2.0.0-rc.1", ["1.0.0"], "1.0.0", False),
        ("2.0.0", ["2.0.0-rc.1", "3.0.0-alpha"], "", True),
        ("20240708-abcdef0", ["1.0.0"], "", False),
        ("1.0.0", ["latest", "stable", "20991231-abcdef0", "v9.9.9"], "no version", True),
    ],
)
def test_latest_moves_only_forward(version: str, tags: list[str], latest_version: str, moves: bool) -> None:
    assert choose_latest(version, existing_tags=tags, latest_version=latest_version).move is moves


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.0.0", "2.0.0 is newer"),
        ("3.0.0-rc.1", "3.0.0-rc.1 is a pre-release"),
        ("20240708-abcdef0", "20240708-abcdef0 is not a semantic version"),
        ("2.0.1", "2.0.1 is the newest stable version"),
    ],
)
def test_the_reason_is_said(version: str, reason: str) -> None:
    assert choose_latest(version, existing_tags=["2.0.0"]).reason == reason


def test_the_newest_stable_version_is_found_among_any_tags() -> None:
    assert str(choose_newest_stable(["1.2.0", "1.10.0", "2.0.0-rc.1", "latest", ""])) == "1.10.0"
    assert choose_newest_stable(["latest", "2.0.0-rc.1"]) is None
