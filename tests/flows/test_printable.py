"""What comes from outside is shown, never obeyed: the ways out that need Prefect."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.artifacts import Artifact

from pluginyard.errors import BuildError
from pluginyard.releases import Release
from pluginyard.sources import Source
from tasks.server.artifacts import show_markdown, show_table
from tasks.statuses import commit_status
from tasks.steps import log
from tests.machine.hostile_texts import HOSTILE_TEXTS, is_harmless
from tests.machine.status_forge import run_status_forge

ALL = " ".join(HOSTILE_TEXTS.values())
texts = pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)


@texts
def test_a_log_shows_what_it_quotes(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pluginyard"):
        log(f"found {text}")
    assert is_harmless(caplog.records[-1].getMessage().replace("\t", " "))


@texts
def test_an_error_in_the_log_of_a_run_shows_what_it_quotes(text: str, caplog: pytest.LogCaptureFixture) -> None:
    @flow(name="fails")
    def fails() -> None:
        raise BuildError(f"it says {text}", subject=text, remedy="fix it")

    with pytest.raises(BuildError), caplog.at_level(logging.ERROR):
        fails()
    said = [record.getMessage() for record in caplog.records if "it says" in record.getMessage()]
    assert said
    assert all(is_harmless(line.replace("\t", " ")) for line in said)


def test_an_artifact_of_a_run_shows_what_it_quotes() -> None:
    @flow(name="shows")
    def shows() -> None:
        show_table("hostile-table", [{"plugin": "x", "why": ALL}], ALL)
        show_markdown("hostile-page", f"# {ALL}", ALL)

    shows()
    table: Any = Artifact.get("hostile-table")
    page: Any = Artifact.get("hostile-page")
    for shown in (table.data, table.description, page.data, page.description):
        assert is_harmless(shown.replace("\\n", "\n").replace("\\t", " ").replace("\t", " "))


def test_the_status_of_a_commit_shows_what_it_quotes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with run_status_forge() as forge:
        monkeypatch.setenv("PLUGINYARD_GITHUB_TOKEN", "ghp_token-of-these-tests")
        monkeypatch.setenv("PLUGINYARD_GITHUB_URL", "https://forge.example.com")
        monkeypatch.setenv("PLUGINYARD_GITHUB_API", forge.url)
        for text in HOSTILE_TEXTS.values():
            source = Source("https://forge.example.com/acme/plugins.git", str(tmp_path), "c" * 40, 0)
            with pytest.raises(BuildError), commit_status(source, Release("go", "x", "1.0.0")):
                raise BuildError(f"it says {text}")
        said = [call.document["description"] for call in forge.calls if call.document["state"] == "failure"]
    assert len(said) == len(HOSTILE_TEXTS)
    assert all(is_harmless(line) and "\n" not in line for line in said)
