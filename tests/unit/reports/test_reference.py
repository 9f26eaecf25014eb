from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from flows.__main__ import command_help
from pluginyard.reports.reference import render_reference

REFERENCE = Path(__file__).parents[3] / "docs" / "reference.md"


def test_the_reference_is_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert REFERENCE.read_text() == render_reference(command_help()), "run `make reference`"


def test_every_setting_and_parameter_is_described() -> None:
    rows = [line for line in render_reference({}).splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if row.rstrip(" |").endswith("|") or row.split("|")[3].strip() == ""] == []


def test_nothing_of_the_reference_is_taken_for_a_tag() -> None:
    page = MarkdownIt().enable("table").parse(REFERENCE.read_text().partition("\n")[2])
    children = [child for token in page for child in token.children or []]
    assert [token.content for token in (*page, *children) if token.type in ("html_block", "html_inline")] == []
    assert any("PLUGINYARD_IMAGE_<BUILDER>" in token.content for token in children)
