"""The rules of drift: what must stay true of what is published. One row each, with level, title and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pluginyard.rules import Rule

_ACCEPT = "if it was meant, name the reference under Accept"
_ROWS = (
    ("D1", "E", "a published version stays",
     f"find out who removed it; the same tag published again gives the same digest; {_ACCEPT}"),
    ("D2", "E", "a version never moves to another digest",
     f"find out who pushed it, and let the tag name the old digest; {_ACCEPT}"),
    ("D3", "E", "the required gateways load it", "see `pluginyard inspect REFERENCE`, and release a new version"),
    ("D4", "E", "everything a digest names is there, byte for byte",
     "restore the registry's storage, or delete the version there and publish it again"),
    ("D5", "E", "latest stands for the newest stable version (T2)", "publish that version again: latest follows"),
    ("D6", "E", "a version has the same digest in every registry",
     "keep the digest its release reported, and copy it to the others"),
    ("D7", "W", "every registry has every version", "publish the version again: the very digest is copied"),
    ("D8", "W", "the version that VERSION declares is published", "publish it, or tag the release"),
    ("D9", "W", "a release tag is published, from the commit it leads to", "publish the tag, or release a new version"),
)  # fmt: skip
DRIFT_RULES: Mapping[str, Rule] = {row[0]: Rule(*row) for row in _ROWS}


@dataclass(frozen=True)
class DriftFinding:
    """Say which rule a published reference does not keep: what is so, and what to do about it."""

    rule: str
    level: str
    reference: str
    message: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as plain values, as the table of the report shows it."""
        return asdict(self)


def drifted(rule: str, reference: str, message: str, *, level: str = "") -> DriftFinding:
    """Return a finding of `rule`, with the rule's own level where none is given."""
    known = DRIFT_RULES[rule]
    return DriftFinding(rule, level or known.level, reference, message, known.remedy)
