"""Readings and what follows from them: medians, ratios, tables. Pure.

>>> readings = Readings()
>>> for seconds in (4.0, 2.0, 9.0):
...     readings.add("shell", seconds)
>>> readings.add("ours", 2.0)
>>> readings.median("shell"), readings.ratio("shell", "ours")
(4.0, 2.0)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Readings:
    """Collect readings by name, all of one unit; every one is kept, so that the raw numbers can be printed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Add one reading."""
        self.seconds.setdefault(name, []).append(seconds)

    def add_all(self, prefix: str, readings: Mapping[str, float]) -> None:
        """Add one reading for each name, below `prefix`."""
        for name, seconds in readings.items():
            self.add(f"{prefix}: {name}", seconds)

    def median(self, name: str) -> float:
        """Return the median of a name's readings."""
        return median(self.seconds[name])

    def ratio(self, over: str, under: str) -> float:
        """Return the ratio of two medians."""
        return self.median(over) / self.median(under)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, median and raw readings of everything, in the order of its first reading."""
        return [
            (name, f"{median(each):.2f}", " ".join(f"{seconds:.2f}" for seconds in each))
            for name, each in self.seconds.items()
        ]


def sum_by_name(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the sum of each name's seconds."""
    total: dict[str, float] = {}
    for part in parts:
        for name, seconds in part.items():
            total[name] = total.get(name, 0.0) + seconds
    return total


def render_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
