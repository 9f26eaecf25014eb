"""Signatures of functions: read as the tables of the interface write them, written as a gateway's log does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_LETTERS = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}


@dataclass(frozen=True)
class Signature:
    """Hold the parameter and result types of a function."""

    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the types as the gateway's log writes them."""
        return f"{' '.join(self.params) or 'void'} -> {' '.join(self.results) or 'void'}"


@lru_cache(maxsize=256)
def parse_signature(text: str) -> Signature:
    """Return the signature written as `(iI)i`: i, I, f, F stand for i32, i64, f32, f64."""
    params, _, results = text.removeprefix("(").partition(")")
    return Signature(tuple(_LETTERS[c] for c in params), tuple(_LETTERS[c] for c in results))
