"""How long would it take to check an example against its schema? Estimated beforehand: both come from a stranger.

A schema of one kilobyte can ask for minutes, by a pattern, an enumeration or a list of names that is looked at again
for each of many examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

BUDGET = 1e9
"""Nanoseconds for all examples of one schema."""
# Measured with jsonschema 4.26 and Python 3.11, and rounded up.
_KEYWORD, _COMPARISON, _STEP, _COMPILED = 10_000, 150, 4, 2_000
_REPETITION, _CHOICE = re.compile(r"[*+{]"), re.compile(r"[?|]")


class WorkBudget:
    """Spend an estimate of time on the examples of one schema until none is left."""

    def __init__(self, nanoseconds: float = BUDGET) -> None:
        self._left = nanoseconds
        self._weights: dict[int, float] = {}

    def spend(self, nanoseconds: float) -> bool:
        """Take the time if there is as much left, and tell whether there was."""
        if nanoseconds > self._left:
            return False
        self._left -= nanoseconds
        return True

    def allows(self, example: Any, schema: Mapping[str, Any]) -> bool:
        """Take the time to check `example` against `schema`, and tell whether there was as much left."""
        return self.spend(self._work(example, schema))

    def _work(self, example: Any, schema: Mapping[str, Any]) -> float:
        work = _KEYWORD * (1.0 + len(schema)) + self._weight(schema.get("enum", []))
        if isinstance(example, str) and "pattern" in schema:
            work += _search(schema["pattern"], len(example))
        items, properties = schema.get("items"), schema.get("properties", {})
        if isinstance(example, list) and isinstance(items, dict):
            work += sum(self._work(inner, items) for inner in example)
        if isinstance(example, dict):
            work += _COMPARISON * (len(example) + len(properties) + len(schema.get("required", ())))
            others = schema.get("additionalProperties")
            pairs = ((inner, properties.get(name, others)) for name, inner in example.items())
            work += sum(self._work(inner, own) for inner, own in pairs if isinstance(own, dict))
        return work

    def _weight(self, values: list[Any]) -> float:
        """Return the time to compare something with all of `values`; remembered, for it is asked for each item."""
        if id(values) not in self._weights:
            self._weights[id(values)] = sum(map(_comparison, values))
        return self._weights[id(values)]


def compiling(pattern: str) -> float:
    """Return the time to compile `pattern`."""
    return float(_COMPILED * (1 + len(pattern)))


def backtracks_for_long(pattern: str) -> bool:
    """Tell whether there are more repetitions or choices in `pattern` than can be tried over a short text."""
    return len(_REPETITION.findall(pattern)) > 2 or len(_CHOICE.findall(pattern)) > 4


def _search(pattern: str, length: int) -> float:
    """Backtracking multiplies: by the text's length for its beginning and each repetition, by two for each choice."""
    steps = float((length + 1) ** (1 + len(_REPETITION.findall(pattern))) * 2 ** len(_CHOICE.findall(pattern)))
    return compiling(pattern) + _STEP * steps


def _comparison(value: Any) -> float:
    if isinstance(value, str):
        return _COMPARISON + len(value) / 8
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return _COMPARISON + sum(map(_comparison, inner))
