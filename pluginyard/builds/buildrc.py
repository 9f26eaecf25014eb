"""A plugin's `.buildrc`, read as data: the old workflow ran it as a shell script on its own machine."""

from __future__ import annotations

import re
from difflib import get_close_matches

from pluginyard.builds.builder import Builder
from pluginyard.errors import SourceError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def parse_buildrc(text: str, builder: Builder, *, subject: str) -> dict[str, str]:
    """Read a `.buildrc` as data: `KEY=VALUE` lines, of the keys `builder` knows; it is never executed.

    Raises SourceError for anything else.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        where = f"{subject}:{number}"
        if not found:
            raise SourceError(
                "the line is not KEY=VALUE, and the file is never executed", subject=where, remedy="write KEY=VALUE"
            )
        values[found[1]] = _buildrc_value(found[1], _unquoted(found[2]), builder, where)
    return values


def _buildrc_value(key: str, value: str, builder: Builder, subject: str) -> str:
    allowed = builder.definition.buildrc
    if key not in allowed:
        near = get_close_matches(key, allowed, n=1)
        known = f"known keys: {', '.join(allowed)}" if allowed else f"the builder {builder.name} knows no key"
        raise SourceError(f"unknown key {key}", subject=subject, remedy=f"did you mean {near[0]}?" if near else known)
    if not re.fullmatch(allowed[key], value):
        raise SourceError(f"{key} holds {value!r}, which is not {allowed[key]}", subject=subject, remedy=f"mend {key}")
    return value


def _unquoted(text: str) -> str:
    value = text.strip()
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
