"""Choose whether `latest` moves: only to stable versions and only forward.

>>> choose_latest("1.2.0", existing_tags=["1.1.0", "2.0.0"]).reason
'2.0.0 is newer'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pluginyard.versions import SemVer, find_semver

LATEST = "latest"


@dataclass(frozen=True)
class LatestChoice:
    """Say whether `latest` moves to the version, and why."""

    move: bool
    reason: str


def choose_latest(version: str, *, existing_tags: Iterable[str] = (), latest_version: str = "") -> LatestChoice:
    """Choose for `version`, given the repository's tags and the version `latest` stands for (if known).

    Tags count beside `latest_version`: two publishers that race see each other's tag, so whoever
    comes last cannot move `latest` back. Texts that are no version are passed over.
    """
    asked = find_semver(version)
    if asked is None:
        return LatestChoice(False, f"{version} is not a semantic version")
    if not asked.is_stable:
        return LatestChoice(False, f"{version} is a pre-release")
    newest = choose_newest_stable([*existing_tags, latest_version])
    if newest is not None and newest > asked:
        return LatestChoice(False, f"{newest} is newer")
    return LatestChoice(True, f"{version} is the newest stable version")


def choose_newest_stable(tags: Iterable[str]) -> SemVer | None:
    """Return the newest stable version among `tags`, or None where there is none."""
    versions = (find_semver(tag) for tag in tags)
    return max((version for version in versions if version is not None and version.is_stable), default=None)
