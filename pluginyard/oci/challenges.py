"""Read a WWW-Authenticate header: one registry may offer several schemes, in one header or in many.

>>> choose_challenge('Basic realm="Gitea", Bearer realm="https://git.example.com/v2/token",service=registry')
Challenge(scheme='bearer', parameters={'realm': 'https://git.example.com/v2/token', 'service': 'registry'})
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# RFC 9110, 11.6.1 and 5.6; values without quotes may hold more than a token: some registries write addresses so.
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_NAME})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]+))')
_SCHEME = re.compile(rf"({_NAME})(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]++=++(?=[ \t]*(?:,|$))")
_LONGEST = 16 * 1024  # of a header that 100 lines of 64 KiB may make
_SCHEMES = ("bearer", "basic")
_BETWEEN = re.compile(r"[ \t,]*")


@dataclass(frozen=True)
class Challenge:
    """Hold one way to authenticate; scheme and names of parameters in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def choose_challenge(header: str) -> Challenge | None:
    """Return the challenge to answer: Bearer before Basic, what says where before what does not; None for neither."""
    offered = [found for found in parse_challenges(header) if found.scheme in _SCHEMES]
    return min(offered, key=lambda found: ("realm" not in found.parameters, _SCHEMES.index(found.scheme)), default=None)


def parse_challenges(header: str) -> list[Challenge]:
    """Return the challenges in their order, as far as they can be read."""
    header, challenges, at = header[:_LONGEST], list[Challenge](), 0
    while (at := _end(_BETWEEN, header, at)) < len(header):
        if challenges and (found := _PARAMETER.match(header, at)):
            value = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
            challenges[-1].parameters.setdefault(found[1].lower(), value)
        elif found := _TOKEN68.match(header, at):
            pass
        elif found := _SCHEME.match(header, at):
            challenges.append(Challenge(found[1].lower()))
        else:
            break
        at = found.end()
    return challenges


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
