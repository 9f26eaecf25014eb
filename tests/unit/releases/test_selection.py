"""Which plugins a request selects of a repository with two languages."""

from __future__ import annotations

from typing import Any

import pytest

from pluginyard.errors import RequestError, SourceError
from pluginyard.forms import RepositoryRequest
from pluginyard.releases import Release, find_twins, select_plugins
from pluginyard.releases.selection import explain_folders
from pluginyard.settings import RepositorySettings, load_configuration
from tests.machine.source_trees import commit_of
from tests.unit.releases.test_plan import BUILDERS

GO, RUST = "plugins/wasm-go/extensions", "plugins/wasm-rust/extensions"
TREE = commit_of(
    {f"{GO}/{name}/go.mod": "module x\n" for name in ("ai-cache", "ai-intent", "key-auth")}
    | {f"{RUST}/{name}/Cargo.toml": "[package]\n" for name in ("ai-intent", "header-guard")}
    | {f"{GO}/README.md": "", f"{GO}/notes/README.md": "no plugin"}
).tree
SETTINGS = RepositorySettings()


def select(**fields: Any) -> list[str]:
    found = select_plugins(RepositoryRequest(**fields), TREE, SETTINGS, BUILDERS)
    return [f"{release.language} {release.name}" for release in found]


EVERY = ["go ai-cache", "go ai-intent", "go key-auth", "rust ai-intent", "rust header-guard"]


@pytest.mark.parametrize("plugins", [["*"], [], ["all"], ["changed"], [" ", ""], ["all", "key-auth"]])
def test_nothing_named_all_and_changed_select_every_plugin(plugins: list[str]) -> None:
    assert select(plugins=plugins) == EVERY


def test_a_plugin_that_is_called_all_is_one_plugin() -> None:
    tree = commit_of({f"{GO}/all/go.mod": "", f"{GO}/other/go.mod": ""}).tree
    assert select_plugins(RepositoryRequest(plugins=["all"]), tree, SETTINGS, BUILDERS) == (Release("go", "all"),)


def test_plugins_are_selected_by_name_and_language() -> None:
    assert select(plugins=["ai-*"]) == ["go ai-cache", "go ai-intent", "rust ai-intent"]
    assert select(plugins=["ai-*"], languages=["rust"]) == ["rust ai-intent"]
    assert select(languages=["rust", "go"]) == EVERY


def test_a_language_that_shares_its_folder_is_selected_by_its_name() -> None:
    assert select(languages=["tinygo"], plugins=["key-*"]) == ["tinygo key-auth"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"plugins": ["key-aut"]}, "key-aut: matches no plugin\n  remedy: did you mean key-auth"),
        ({"languages": ["rusty"]}, "languages: no folder is configured for language 'rusty'\n  remedy: use rust"),
        ({"languages": ["golang"]}, "use one of go, rust, tinygo"),
        ({"plugins": ["header-guard"], "languages": ["go"]}, "of go\n  remedy: header-guard is a plugin of rust: ask"),
        ({"plugins": ["key-auth", "nonsense"]}, "nonsense: matches no plugin"),
    ],
)  # fmt: skip
def test_a_selection_that_stands_for_nothing_is_refused(fields: dict[str, list[str]], told: str) -> None:
    with pytest.raises(RequestError) as refusal:
        select(**fields)
    assert told in str(refusal.value)


def test_a_repository_without_plugins_is_not_published_successfully() -> None:
    tree = commit_of({"README.md": ""}).tree
    with pytest.raises(RequestError, match="matches no plugin"):
        select_plugins(RepositoryRequest(), tree, SETTINGS, BUILDERS)


def test_two_plugins_of_one_name_are_both_refused_with_what_to_do() -> None:
    releases = select_plugins(RepositoryRequest(), TREE, SETTINGS, BUILDERS)
    twins = find_twins(releases, TREE, SETTINGS, BUILDERS)
    assert set(twins) == {("go", "ai-intent"), ("rust", "ai-intent")}
    assert f"{GO}/ai-intent and {RUST}/ai-intent would be published under one name" in str(twins["go", "ai-intent"])
    assert "languages: go" in twins["rust", "ai-intent"].remedy
    of_go = select_plugins(RepositoryRequest(languages=["go"]), TREE, SETTINGS, BUILDERS)
    assert not find_twins(of_go, TREE, SETTINGS, BUILDERS)


def test_two_plugins_of_one_name_are_both_published_where_a_path_tells_their_images_apart() -> None:
    rule = load_configuration(f"layout: {{rust: {{folder: {RUST}, builder: rust, below: rust}}}}")
    releases = select_plugins(RepositoryRequest(), TREE, rule, BUILDERS)
    assert find_twins(releases, TREE, rule, BUILDERS) == {}
    assert find_twins(releases, TREE, SETTINGS, BUILDERS)["go", "ai-intent"].remedy.endswith("{below: rust, …}}`")


MCP = "plugins/wasm-go/mcp-servers"


def test_mcp_servers_in_go_are_selected_and_those_in_yaml_explained() -> None:
    files = {f"{GO}/a/go.mod": "", f"{MCP}/amap-tools/go.mod": "", f"{MCP}/weather/mcp-server.yaml": ""}
    tree = commit_of(files).tree
    found = select_plugins(RepositoryRequest(), tree, SETTINGS, BUILDERS)
    assert found == (Release("go", "a"), Release("go", "amap-tools"))
    assert list(explain_folders(tree, SETTINGS, BUILDERS)) == ["weather"]
    with pytest.raises(SourceError, match=f"{MCP}/weather: it is an MCP server in YAML"):
        select_plugins(RepositoryRequest(plugins=["weather"]), tree, SETTINGS, BUILDERS)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "all of the repository of the site"),
        ({"repository": "/p", "plugins": []}, "all of /p"),
        ({"repository": "/p", "plugins": ["ai-*", "key-auth"], "languages": ["go"]}, "ai-*, key-auth (go) of /p"),
        ({"repository": "/p", "changed_since": "v1"}, "all of /p changed since v1"),
    ],
)
def test_a_run_is_called_after_what_it_selects(fields: dict[str, Any], title: str) -> None:
    assert RepositoryRequest(**fields).title == title
