"""What an outsider may write into a name, a title or an annotation, and what must never be shown of it."""

from __future__ import annotations

HOSTILE_TEXTS = {
    "an escape sequence": "\x1b[2J\x1b]0;title\x07",
    "a C1 control": "\x9b2J",
    "a mark that turns the line around": "\u202eliave\u2066",
    "an invisible letter": "a\u200bb\ufeff",
    "a line end": "x\nok: the required gateways load it\n",
    "a carriage return": "x\rok: the required gateways load it",
    "line ends of Unicode": "x\u2028ok: y\u2029z\x85",
    "half of a surrogate pair": "\ud800\udfff\udcff",
    "a NUL": "a\0b",
    "a tab and a form feed": "a\tb\fc\vd",
}


def is_harmless(shown: str) -> bool:
    """Tell whether a terminal shows the text, all of it, and obeys nothing in it but its line ends."""
    return all(character.isprintable() or character == "\n" for character in shown) and shown.encode() != b""
