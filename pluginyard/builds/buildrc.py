"""A plugin's `.buildrc`, read as data: the old workflow ran it as a shell script on its own machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pluginyard.builds.builder import Builder
from pluginyard.errors import SourceError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


@dataclass(frozen=True)
class Buildrc:
    """Hold the values that a builder uses, and a note for each key that it does not."""

    values: Mapping[str, str]
    notes: tuple[str, ...]


def parse_buildrc(text: str, builder: Builder, *, subject: str) -> Buildrc:
    """Read a `.buildrc` as data: `KEY=VALUE` lines; it is never executed.

    Keys that `builder` does not use, as others of the old workflow's shell, are noted. Raises SourceError for a line
    that is more than data, and for a value that the builder does not allow.
    """
    values: dict[str, str] = {}
    notes: list[str] = []
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
        key, value = found[1], _unquoted(found[2])
        if key not in builder.definition.buildrc:
            notes.append(f"{where}: {_unused(key, builder)}")
        else:
            values[key] = _checked(key, value, builder, where)
    return Buildrc(values, tuple(notes))


def _unused(key: str, builder: Builder) -> str:
    known = builder.definition.buildrc
    near = get_close_matches(key, known, n=1)
    used = f"did you mean {near[0]}?" if near else f"it uses {', '.join(known)}" if known else "it uses no key"
    return f"{key} is not used by the builder {builder.name}; {used}"


def _checked(key: str, value: str, builder: Builder, subject: str) -> str:
    allowed = builder.definition.buildrc[key]
    if not re.fullmatch(allowed, value):
        raise SourceError(f"{key} holds {value!r}, which is not {allowed}", subject=subject, remedy=f"fix {key}")
    return value


def _unquoted(text: str) -> str:
    """Return the value as a shell would read it: without quotes, and without a comment behind it."""
    value = text.strip()
    quoted = re.fullmatch(r"(['\"])(.*?)\1(?:\s+#.*)?", value)
    return quoted[2] if quoted else re.sub(r"(?:^|\s)\s*#.*", "", value)
