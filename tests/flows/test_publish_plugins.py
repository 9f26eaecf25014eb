"""Whole repositories on Prefect's test server, with this machine's toolchain."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from flows.publish_plugins import publish_plugins
from flows.verify_published import verify_published
from pluginyard.errors import BatchError, RequestError, VerificationError
from pluginyard.forms import RepositoryRequest, VerifyRequest
from tasks.doors.workspaces import Workspace, open_workspace
from tests.machine.example_repository import commit

GO = "plugins/wasm-go/extensions"


def publish(repository: Path, *registries: Path, **fields: Any) -> dict[str, Any]:
    places = [f"oci:{place}" for place in registries]
    request = RepositoryRequest(repository=str(repository), registries=places, **fields)
    return asyncio.run(publish_plugins(request))


def states(result: dict[str, Any]) -> dict[str, str]:
    return {row["plugin"]: row["why"] for row in result["plugins"]}


def tags(layout: Path) -> set[str]:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    return {entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries if "annotations" in entry}


def test_all_plugins_are_published_and_the_second_run_finds_nothing_to_do(pair: Path, tmp_path: Path) -> None:
    first = publish(pair, tmp_path / "out")
    assert states(first) == {"request-block": "published now", "second": "published now"}
    second = publish(pair, tmp_path / "out")
    assert states(second) == {"request-block": "same fingerprint", "second": "same fingerprint"}
    assert [row["digest"] for row in second["plugins"]] == [row["digest"] for row in first["plugins"]]


def test_one_plugin_that_cannot_be_built_holds_back_no_other(pair: Path, tmp_path: Path) -> None:
    (pair / GO / "second/main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    commit(pair, "broken")
    with pytest.raises(BatchError, match="1 of 2 plugins are not published") as failure:
        publish(pair, tmp_path / "out")
    assert "second 1.0.0" in str(failure.value)
    assert tags(tmp_path / "out") == {"request-block-1.0.0", "request-block-latest"}


def test_the_error_of_a_batch_says_in_a_few_lines_why_each_plugin_failed(
    pair: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (pair / GO / "request-block/main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    (pair / GO / "second/main.go").write_text('package main\n\nimport _ "fmtt"\n\nfunc main() {}\n')
    commit(pair, "broken")
    with pytest.raises(BatchError) as failure:
        publish(pair, tmp_path / "out")
    _, *lines = failure.value.message.splitlines()
    assert len(lines) < 12
    assert re.search(
        r"^    request-block 1\.0\.0: .* did not compile .*undefined: parseConfiguration$", failure.value.message, re.M
    )
    assert re.search(r"^    second 1\.0\.0: .*: there is no package fmtt", failure.value.message, re.M)
    assert "remedy: fix the import" in failure.value.message
    of_the_run = [record.getMessage() for record in caplog.records if record.name == "prefect.flow_runs"]
    assert sum("parseConfiguration" in text for text in of_the_run) == 1, "it is logged once"


def test_a_failed_run_goes_on_where_it_failed(pair: Path, tmp_path: Path) -> None:
    source = (pair / GO / "second/main.go").read_text()
    (pair / GO / "second/main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    commit(pair, "broken")
    with pytest.raises(BatchError):
        publish(pair, tmp_path / "out")
    (pair / GO / "second/main.go").write_text(source)
    commit(pair, "fixed")
    assert states(publish(pair, tmp_path / "out")) == {"request-block": "same fingerprint", "second": "published now"}


def test_a_plugin_that_changed_under_its_version_is_refused_or_published_as_a_snapshot(
    pair: Path, tmp_path: Path
) -> None:
    publish(pair, tmp_path / "out")
    (pair / GO / "second/README.md").write_text("changed\n")
    commit(pair, "changed")
    with pytest.raises(BatchError, match="published already, from other inputs"):
        publish(pair, tmp_path / "out")
    result = publish(pair, tmp_path / "out", when_taken="snapshot")
    version = result["plugins"][1]["version"]
    assert version.startswith("1.0.0-snapshot.f")
    assert {f"second-{version}", "second-1.0.0", "second-latest"} <= tags(tmp_path / "out")
    again = publish(pair, tmp_path / "out", when_taken="snapshot")
    assert states(again) == {"request-block": "same fingerprint", "second": "same fingerprint"}


def test_a_registry_that_lacks_some_gets_what_it_lacks(pair: Path, tmp_path: Path) -> None:
    publish(pair, tmp_path / "one")
    publish(pair, tmp_path / "two", plugins=["second"])
    publish(pair, tmp_path / "one", tmp_path / "two")
    assert tags(tmp_path / "one") == tags(tmp_path / "two")


def test_an_mcp_server_and_two_languages_of_one_name_are_published_by_one_batch(pair: Path, tmp_path: Path) -> None:
    for folder in ("plugins/wasm-go/mcp-servers/tools", "plugins/more/second"):
        shutil.copytree(pair / GO / "second", pair / folder)
    rule = "layout: {more: {folder: plugins/more, builder: go, below: more}}\n"
    (pair / "pluginyard.yaml").write_text(rule)
    commit(pair, "more plugins")
    result = publish(pair, tmp_path / "out")
    assert [(row["language"], row["plugin"], row["why"]) for row in result["plugins"]] == [
        ("go", "request-block", "published now"),
        ("go", "second", "published now"),
        ("go", "tools", "published now"),
        ("more", "second", "published now"),
    ]
    assert tags(tmp_path / "out/mcp-server") == {"tools-1.0.0", "tools-latest"}
    assert tags(tmp_path / "out/more") == {"second-1.0.0", "second-latest"}
    assert "second-1.0.0" in tags(tmp_path / "out")
    again = publish(pair, tmp_path / "out")
    assert {row["why"] for row in again["plugins"]} == {"same fingerprint"}
    seen = VerifyRequest(repository=str(pair), plugins=["*"], registries=[f"oci:{tmp_path}/out"])
    assert verify_published(seen)["summary"].startswith("4 ")
    (tmp_path / "out/mcp-server/index.json").unlink()
    with pytest.raises(VerificationError, match="tools"):
        verify_published(seen)


def test_plugins_are_chosen_by_name_language_and_change(pair: Path, tmp_path: Path) -> None:
    before = commit_of(pair)
    (pair / GO / "second/README.md").write_text("changed\n")
    commit(pair, "changed")
    assert list(states(publish(pair, tmp_path / "a", changed_since=before))) == ["second"]
    assert list(states(publish(pair, tmp_path / "b", plugins=["request-*"]))) == ["request-block"]
    with pytest.raises(RequestError, match="matches no plugin of rust"):
        publish(pair, tmp_path / "c", languages=["rust"])
    with pytest.raises(RequestError, match="matches no plugin"):
        publish(pair, tmp_path / "d", plugins=["reqest-block"])


def test_a_plugin_without_a_version_is_published_once_whatever_else_is_committed(pair: Path, tmp_path: Path) -> None:
    (pair / GO / "second/VERSION").unlink()
    commit(pair, "no version")
    first = publish(pair, tmp_path / "out", plugins=["second"])
    (pair / "LICENSE").write_text("something else")
    commit(pair, "unrelated")
    second = publish(pair, tmp_path / "out", plugins=["second"])
    assert states(second) == {"second": "same fingerprint"}
    assert second["plugins"] == [{**first["plugins"][0], "why": "same fingerprint"}]
    assert tags(tmp_path / "out") == {f"second-{first['plugins'][0]['version']}"}, "and no latest"
    (pair / GO / "second/README.md").write_text("changed\n")
    commit(pair, "changed")
    assert states(publish(pair, tmp_path / "out", plugins=["second"])) == {"second": "published now"}


def test_a_damaged_entry_of_a_registry_holds_back_no_other_plugin(pair: Path, tmp_path: Path) -> None:
    first = publish(pair, tmp_path / "out", plugins=["request-block"])
    digest = first["plugins"][0]["digest"].removeprefix("sha256:")
    (tmp_path / "out/blobs/sha256" / digest).write_text("no manifest")
    with pytest.raises(BatchError, match="1 of 2 plugins are not published") as failure:
        publish(pair, tmp_path / "out")
    assert "request-block 1.0.0" in str(failure.value)
    assert "second-1.0.0" in tags(tmp_path / "out")


def test_a_fault_of_ours_fails_its_plugin_only_and_is_told_with_its_type(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [OSError(28, "No space left on device")]

    def open_or_fail(cache: Path) -> AbstractContextManager[Workspace]:
        if faults:
            raise faults.pop()
        return open_workspace(cache)

    monkeypatch.setattr("flows.publish_plugins.open_workspace", open_or_fail)
    with pytest.raises(BatchError, match="a fault of pluginyard: OSError: .*No space left on device"):
        publish(pair, tmp_path / "out", at_once=1)
    assert tags(tmp_path / "out") == {"second-1.0.0", "second-latest"}
    assert "in open_or_fail" in caplog.text, "the run's log has the traceback"


def commit_of(repository: Path) -> str:
    from tests.machine.example_repository import git

    return git(repository, "rev-parse", "HEAD")
