"""Text from outside, fit to be shown: on a terminal, in a log, on a page, in a status."""

from __future__ import annotations

import unicodedata
from typing import Any


def printable(text: str, *, lines: bool = False, limit: int = 0) -> str:
    r"""Return `text` with every character escaped that a terminal or a page would obey instead of show.

    Controls, marks of direction (which turn a line around), halves of surrogate pairs (which no encoding can write).
    Line ends become spaces, so nobody can add a line, unless `lines` keeps them. `limit` in characters; 0: none.

    >>> printable("\x1b[2J a\nb")
    '\\x1b[2J a b'
    """
    if limit and len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(character if character in kept else _shown(character) for character in text)


def printable_values(value: Any, *, lines: bool = False) -> Any:
    """Return plain values (mappings, lists, texts, numbers) with every text printable."""
    if isinstance(value, str):
        return printable(value, lines=lines)
    if isinstance(value, dict):
        return {printable_values(key): printable_values(inner, lines=lines) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [printable_values(inner, lines=lines) for inner in value]
    return value


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return " " if character in "\t\n\v\f\r" else character.encode("unicode_escape").decode()
