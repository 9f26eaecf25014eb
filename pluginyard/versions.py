"""SemVer (semver.org 2.0.0; a tag carries no build metadata), and how `latest` moves: to stable versions, forward only.

>>> parse_semver("1.10.0") > parse_semver("1.9.0") > parse_semver("1.9.0-rc.1")
True
>>> choose_latest("1.2.0", existing_tags=["1.1.0", "2.0.0"]).reason
'2.0.0 is newer'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering

from pluginyard.errors import RequestError

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
# semver.org 2.0.0, "Is there a suggested regular expression"; [0-9] because \d matches other scripts too.
_SEMVER = re.compile(
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?P<build>\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LONGEST = 128
"""No tag is longer (distribution-spec v1.1), so no longer text is worth a parse."""


@total_ordering
@dataclass(frozen=True)
class SemVer:
    """Hold one version; ordered by precedence (semver.org 2.0.0, item 11)."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    @property
    def is_stable(self) -> bool:
        """Tell whether this is a release proper: no pre-release identifiers."""
        return not self.prerelease

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, SemVer):
            return NotImplemented
        return self._precedence() < other._precedence()

    def __str__(self) -> str:
        release = f"{self.major}.{self.minor}.{self.patch}"
        return f"{release}-{'.'.join(self.prerelease)}" if self.prerelease else release

    def _precedence(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        identifiers = tuple((False, int(part), "") if part.isdigit() else (True, 0, part) for part in self.prerelease)
        return (self.major, self.minor, self.patch, self.is_stable, identifiers)


def parse_semver(text: str) -> SemVer:
    """Parse `MAJOR.MINOR.PATCH[-PRERELEASE]`; raise RequestError for anything else, `+build` included."""
    match = _SEMVER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise RequestError(
            "not a semantic version", subject=text[:_LONGEST], remedy="write MAJOR.MINOR.PATCH, as in 1.2.3"
        )
    if match["build"]:
        raise RequestError(
            "a tag carries no build metadata: '+' is not legal in an OCI tag",
            subject=text,
            remedy=f"write {text.partition('+')[0]}",
        )
    prerelease = tuple(match["prerelease"].split(".")) if match["prerelease"] else ()
    return SemVer(int(match["major"]), int(match["minor"]), int(match["patch"]), prerelease)


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
