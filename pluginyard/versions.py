"""SemVer (semver.org 2.0.0; a tag carries no build metadata), and how `latest` moves: to stable versions, forward only.

>>> parse_semver("1.10.0") > parse_semver("1.9.0") > parse_semver("1.9.0-rc.1")
True
>>> choose_latest("1.2.0", existing_tags=["1.1.0", "2.0.0"]).reason
'2.0.0 is newer'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import semver

from pluginyard.errors import RequestError

_LONGEST = 128
"""No tag is longer (distribution-spec v1.1), so no longer text is worth a parse."""


class SemVer(semver.Version):
    """Hold one version; ordered by precedence (semver.org 2.0.0, item 11)."""

    @property
    def is_stable(self) -> bool:
        """Return whether this is a release proper: no pre-release identifiers."""
        return not self.prerelease


def parse_semver(text: str) -> SemVer:
    """Parse `MAJOR.MINOR.PATCH[-PRERELEASE]`; raise RequestError for anything else, `+build` included."""
    try:
        version = SemVer.parse(text if len(text) <= _LONGEST else "")
    except ValueError:
        raise RequestError(
            "not a semantic version", subject=text[:_LONGEST], remedy="write MAJOR.MINOR.PATCH, as in 1.2.3"
        ) from None
    if version.build:
        raise RequestError(
            "a tag carries no build metadata: '+' is not legal in an OCI tag",
            subject=text,
            remedy=f"write {text.partition('+')[0]}",
        )
    return version


def find_semver(text: str) -> SemVer | None:
    """Return the version that `text` is, or None where it is none: a registry's tags may be anything."""
    try:
        return parse_semver(text)
    except RequestError:
        return None


LATEST = "latest"


@dataclass(frozen=True)
class LatestChoice:
    """Say whether `latest` moves to the version, and why."""

    move: bool
    reason: str


def choose_latest(version: str, *, existing_tags: Iterable[str] = (), latest_version: str = "") -> LatestChoice:
    """Choose for `version`, given the repository's tags and the version `latest` stands for (if known).

    Tags count beside `latest_version`: two publishers that race see each other's tag, so the one
    that comes last cannot move `latest` back. Texts that are no version are passed over.
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
