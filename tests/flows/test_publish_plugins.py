"""Whole repositories on Prefect's test server, with this machine's toolchain."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.publish_plugins import publish_plugins
from pluginyard.batches import RepositoryRequest
from pluginyard.errors import BatchError, RequestError
from tests.machine.example_repository import commit

GO = "plugins/wasm-go/extensions"


@pytest.fixture
def small(example: Path) -> Path:
    """Return the example repository with two plugins that share all but their names."""
    shutil.rmtree(example / "plugins/wasm-rust")
    for plugin in (example / GO).iterdir():
        if plugin.name != "request-block":
            shutil.rmtree(plugin)
    shutil.copytree(example / GO / "request-block", example / GO / "second")
    commit(example, "two plugins")
    return example


def publish(repository: Path, *registries: Path, **fields: Any) -> dict[str, Any]:
    places = [f"oci:{place}" for place in registries]
    request = RepositoryRequest(repository=str(repository), registries=places, **fields)
    return asyncio.run(publish_plugins(request))


def states(result: dict[str, Any]) -> dict[str, str]:
    return {row["plugin"]: row["why"] for row in result["plugins"]}


def tags(layout: Path) -> set[str]:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    return {entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries if "annotations" in entry}


def test_all_plugins_are_published_and_the_second_run_finds_nothing_to_do(small: Path, tmp_path: Path) -> None:
    first = publish(small, tmp_path / "out")
    assert states(first) == {"request-block": "published now", "second": "published now"}
    second = publish(small, tmp_path / "out")
    assert states(second) == {"request-block": "same fingerprint", "second": "same fingerprint"}
    assert [row["digest"] for row in second["plugins"]] == [row["digest"] for row in first["plugins"]]


def test_one_plugin_that_cannot_be_built_holds_back_no_other(small: Path, tmp_path: Path) -> None:
    (small / GO / "second/main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    commit(small, "broken")
    with pytest.raises(BatchError, match="1 of 2 plugins are not published") as failure:
        publish(small, tmp_path / "out")
    assert "second 1.0.0" in str(failure.value)
    assert tags(tmp_path / "out") == {"request-block-1.0.0", "request-block-latest"}


def test_a_failed_run_goes_on_where_it_failed(small: Path, tmp_path: Path) -> None:
    source = (small / GO / "second/main.go").read_text()
    (small / GO / "second/main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    commit(small, "broken")
    with pytest.raises(BatchError):
        publish(small, tmp_path / "out")
    (small / GO / "second/main.go").write_text(source)
    commit(small, "mended")
    assert states(publish(small, tmp_path / "out")) == {"request-block": "same fingerprint", "second": "published now"}


def test_a_plugin_that_changed_under_its_version_is_refused_or_published_as_a_snapshot(
    small: Path, tmp_path: Path
) -> None:
    publish(small, tmp_path / "out")
    (small / GO / "second/README.md").write_text("changed\n")
    commit(small, "changed")
    with pytest.raises(BatchError, match="published already, from other inputs"):
        publish(small, tmp_path / "out")
    result = publish(small, tmp_path / "out", when_taken="snapshot")
    version = result["plugins"][1]["version"]
    assert version.startswith("1.0.0-snapshot.f")
    assert {f"second-{version}", "second-1.0.0", "second-latest"} <= tags(tmp_path / "out")
    again = publish(small, tmp_path / "out", when_taken="snapshot")
    assert states(again) == {"request-block": "same fingerprint", "second": "same fingerprint"}


def test_a_registry_that_lacks_some_gets_what_it_lacks(small: Path, tmp_path: Path) -> None:
    publish(small, tmp_path / "one")
    publish(small, tmp_path / "two", plugins=["second"])
    publish(small, tmp_path / "one", tmp_path / "two")
    assert tags(tmp_path / "one") == tags(tmp_path / "two")


def test_plugins_are_chosen_by_name_language_and_change(small: Path, tmp_path: Path) -> None:
    before = commit_of(small)
    (small / GO / "second/README.md").write_text("changed\n")
    commit(small, "changed")
    assert list(states(publish(small, tmp_path / "a", changed_since=before))) == ["second"]
    assert list(states(publish(small, tmp_path / "b", plugins=["request-*"]))) == ["request-block"]
    assert states(publish(small, tmp_path / "c", languages=["rust"])) == {}
    with pytest.raises(RequestError, match="matches no plugin"):
        publish(small, tmp_path / "d", plugins=["reqest-block"])


def commit_of(repository: Path) -> str:
    from tests.machine.example_repository import git

    return git(repository, "rev-parse", "HEAD")
