from __future__ import annotations

import pytest

from pluginyard.audits import (
    Record,
    RecordedVersion,
    Scope,
    SourcePlugin,
    choose_names,
    find_source_plugins,
    newest_versions,
    parse_record,
    read_source_plugins,
    record_key,
)
from pluginyard.errors import RequestError
from pluginyard.oci import parse_destination
from pluginyard.releases import Release
from pluginyard.settings import RepositorySettings
from pluginyard.sources import Source, SourceTag
from tests.machine.source_trees import commit_of
from tests.unit.releases.test_plan import BUILDERS


@pytest.mark.parametrize(
    ("tags", "count", "chosen"),
    [
        (["1.0.0", "1.10.0", "1.9.0"], 2, ["1.10.0", "1.9.0"]),
        (["1.0.0", "1.10.0", "1.9.0"], 0, ["1.10.0", "1.9.0", "1.0.0"]),
        (["1.0.0", "2.0.0-rc.1", "2.0.0-rc.2"], 2, ["2.0.0-rc.2", "2.0.0-rc.1", "1.0.0"]),
        (["latest", "main", "sha256-ab.sig", "v1.0.0", "1.0"], 5, []),
        (["1.0.0", "1.0.0"], 5, ["1.0.0"]),
        (["20260102-000000-abcdef0", "20260101-000000-abcdef0", "1.0.0"], 1, ["1.0.0", "20260102-000000-abcdef0"]),
        ([], 5, []),
    ],
)
def test_the_newest_versions_are_looked_into_and_the_newest_stable_one_always(
    tags: list[str], count: int, chosen: list[str]
) -> None:
    assert list(newest_versions(tags, count)) == chosen


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [(["*"], ("a", "ab", "b")), (["a*"], ("a", "ab")), (["gone", "a"], ("gone", "a")), (["?", "b"], ("a", "b"))],
)
def test_a_name_stands_for_itself_and_a_pattern_for_what_it_matches(
    patterns: list[str], chosen: tuple[str, ...]
) -> None:
    assert choose_names(patterns, ["a", "ab", "b"]) == chosen


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(RequestError) as refusal:
        choose_names(["x*"], ["a"])
    assert refusal.value.remedy == "there are: a"
    with pytest.raises(RequestError) as refusal:
        choose_names(["*"], [])
    assert "name a repository" in refusal.value.remedy


def test_a_repository_says_version_and_newest_release_tags_of_each_plugin() -> None:
    def tag(name: str, commit: str) -> SourceTag:
        return SourceTag(name, Source("repo", "/mirror", commit, 0), 0)

    tags = [
        tag("wasm-go-a-v1.0.0", "1"),
        tag("wasm-go-a-v1.1.0", "2"),
        tag("wasm-go-a-v1.2.0", "3"),
        tag("wasm-rust-b-v1.0.0", "4"),
        tag("nonsense", "5"),
    ]
    releases = [Release("go", "a"), Release("rust", "a"), Release("go", "c")]
    found = find_source_plugins(releases, tags, lambda release: f"{release.language}\n", 2)
    assert found == {"a": SourcePlugin("a", "go", {"1.2.0": "3", "1.1.0": "2"}), "c": SourcePlugin("c", "go", {})}


def test_plugins_that_are_published_below_a_path_are_verified_there() -> None:
    mcp = "plugins/wasm-go/mcp-servers/tools"
    files = {f"{mcp}/go.mod": "", f"{mcp}/VERSION": "1.0.0\n", "plugins/wasm-go/extensions/tools-of-mine/go.mod": ""}
    tags = [SourceTag("wasm-go-tools-v1.0.0", Source("repo", "/mirror", "1", 0), 0)]
    found = read_source_plugins(commit_of(files), tags, RepositorySettings(), BUILDERS, 5)
    assert found["mcp-server/tools"] == SourcePlugin("mcp-server/tools", "1.0.0", {"1.0.0": "1"})
    assert choose_names(["tools"], found) == ("mcp-server/tools",)
    assert choose_names(["tools*"], found) == ("tools-of-mine", "mcp-server/tools")
    place = parse_destination("r.example.com/p")
    assert place.reference_to("mcp-server/tools", "1.0.0") == "r.example.com/p/mcp-server/tools:1.0.0"


def test_a_version_file_that_cannot_be_read_says_nothing_and_holds_nobody_back() -> None:
    files = {"plugins/wasm-go/extensions/a/go.mod": "", "plugins/wasm-go/extensions/a/VERSION": b"\xff\xfe1"}
    assert read_source_plugins(commit_of(files), [], RepositorySettings(), BUILDERS, 5) == {"a": SourcePlugin("a")}


def row(plugin: str, version: str = "1.0.0", repository: str = "repo") -> RecordedVersion:
    return RecordedVersion(plugin, version, "sha256:1", "higress, istio", "", 7, repository)


def test_plugins_the_repository_had_once_stay_in_scope() -> None:
    scope = Scope((SourcePlugin("a"),), (), ("higress",), "repo")
    record = Record((row("a"), row("old"), row("other", repository="another"), row("ancient")))
    assert [each.name for each in scope.with_recorded(["*"], [record]).plugins] == ["a", "ancient", "old"]
    assert [each.name for each in scope.with_recorded(["old"], [record]).plugins] == ["a", "old"]
    assert Scope((), (), ("higress",)).with_recorded(["*"], [record]).plugins == ()


def test_a_record_is_read_as_it_was_kept() -> None:
    record = Record((row("a"), row("b")))
    assert parse_record(record.rows()) == record
    assert record.versions[0].gateways == ("higress", "istio")
    assert RecordedVersion("a", "1.0.0", "sha256:1").gateways == ()


@pytest.mark.parametrize("kept", [None, "text", {}, [], [1, None, {"plugin": "a"}], [{**row("a").__dict__, "more": 1}]])
def test_what_is_no_record_of_ours_is_passed_over(kept: object) -> None:
    assert parse_record(kept) == Record()


def test_a_run_of_one_plugin_keeps_what_is_recorded_of_others() -> None:
    record = Record((row("a"), row("b"), row("b", "2.0.0")))
    assert record.with_plugin("b", [row("b", "3.0.0")]).versions == (row("a"), row("b", "3.0.0"))


def test_the_key_of_a_record_is_stable_legal_and_one_for_each_destination() -> None:
    keys = {
        text: record_key(parse_destination(text)) for text in ("Host:5000/a/b", "host:5000/a-b", f"oci:/{'x' * 200}")
    }
    assert len(set(keys.values())) == 3
    for key in keys.values():
        assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(key) < 100
    assert keys["Host:5000/a/b"].startswith("published-in-host-5000-a-b-")
