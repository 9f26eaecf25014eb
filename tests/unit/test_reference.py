from __future__ import annotations

from pathlib import Path

import pytest

from flows.__main__ import command_help
from pluginyard.reference import render_reference

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_reference_is_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert REFERENCE.read_text() == render_reference(command_help()), "run `make reference`"


def test_every_setting_and_parameter_is_described() -> None:
    rows = [line for line in render_reference({}).splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if row.rstrip(" |").endswith("|") or row.split("|")[3].strip() == ""] == []
