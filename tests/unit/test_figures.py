"""The benchmark's arithmetic: medians, ratios of medians, sums, tables."""

from __future__ import annotations

import pytest

from benchmarks.figures import Readings, render_table, sum_by_name


def test_a_ratio_is_of_medians_so_one_disturbed_reading_changes_nothing() -> None:
    readings = Readings()
    for seconds in (8.0, 90.0, 6.0):
        readings.add("shell", seconds)
    for seconds in (2.0, 1.0, 30.0):
        readings.add("ours", seconds)
    assert readings.median("shell") == 8.0
    assert readings.ratio("shell", "ours") == 4.0


def test_every_raw_reading_is_printed_in_the_order_it_came() -> None:
    readings = Readings()
    for seconds in (3.0, 1.0, 2.0):
        readings.add_all("one", {"total": seconds})
    assert readings.rows() == [("one: total", "2.00", "3.00 1.00 2.00")]


def test_a_ratio_of_what_was_not_read_is_an_error_and_no_number() -> None:
    with pytest.raises(KeyError):
        Readings().ratio("shell", "ours")


def test_steps_of_the_same_name_are_summed() -> None:
    assert sum_by_name([{"tar": 1.0, "push": 2.0}, {"tar": 0.5}]) == {"tar": 1.5, "push": 2.0}


def test_the_columns_of_a_table_line_up() -> None:
    lines = render_table(("a", "long head"), [("longer cell", "b")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| longer cell | b         |"
