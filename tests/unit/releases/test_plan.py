"""The plan of a release over a tree that exists in this file only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pluginyard.builds import Builder, load_builder
from pluginyard.errors import ConfigurationError, EngineUnavailableError, RequestError, SourceError
from pluginyard.forms import PublishRequest
from pluginyard.oci import CREATED, FINGERPRINT, Descriptor
from pluginyard.releases import PluginBuild, ask_once, choose_annotations, plan_build, render_manifest, resolve_request
from pluginyard.settings import RepositorySettings, Site, load_site
from pluginyard.sources import Source
from tests.machine.source_trees import SOURCE, commit_of

BUILDERS = {
    folder.name: load_builder(
        folder.name, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    )
    for folder in (Path(__file__).parents[3] / "builders").iterdir()
}
GO = "plugins/wasm-go/extensions/request-block"
FILES = {
    f"{GO}/go.mod": "module x\n\ngo 1.24.0\n",
    f"{GO}/main.go": "package main\n",
    f"{GO}/README.md": "zh",
    f"{GO}/README_EN.md": "en",
    f"{GO}/README_dev.md": "no language",
    f"{GO}/docs/README.md": "not at the top",
    f"{GO}/spec.yaml": "info: {}",
    f"{GO}/icon.png": "png",
    f"{GO}/VERSION": "1.2.3\n",
    "plugins/wasm-rust/extensions/other/Cargo.toml": "",
    "LICENSE": "",
}


def plan(
    files: Mapping[str, str | bytes] = FILES,
    *,
    site: Site | None = None,
    source: Source = SOURCE,
    settings: RepositorySettings | None = None,
    links: Collection[str] = (),
    **fields: object,
) -> PluginBuild:
    request = PublishRequest.model_validate({"plugin": "request-block", "registries": ["r.example.com/p"]} | fields)
    return plan_build(
        request,
        resolve_request(request),
        commit_of(files, links, source),
        site=site or load_site({}),
        builders=BUILDERS,
        choose_host=lambda builder: "",
        settings=settings,
    )


def test_settings_of_registries_that_contradict_each_other_are_refused_before_anything_is_built() -> None:
    wants = "registry_settings: {a: {config_media_type: x/a}, b: {config_media_type: x/b}}"
    files = FILES | {"pluginyard.yaml": wants}
    with pytest.raises(ConfigurationError, match="digests would differ"):
        plan(files, registries=["a/p", "b/p"])
    assert plan(files, registries=["a/p", "c/p"]).settings.registry_settings["a"].config_media_type == "x/a"


def test_documents_become_layers_in_the_order_of_the_specification() -> None:
    assert [item.title for item in plan().plugin.documents] == ["spec.yaml", "README.md", "README_EN.md", "icon.png"]
    assert plan().plugin.documents[2].media_type == "application/vnd.module.wasm.doc.v1.en+markdown"


def test_documents_and_the_version_are_read_through_links() -> None:
    linked = {
        f"{GO}/README.md": "docs/README.md",
        f"{GO}/VERSION": "../../../../VERSION",
        "VERSION": "release/VERSION",
        "release/VERSION": "2.0.0\n",
    }
    planned = plan(FILES | linked, links=set(linked) - {"release/VERSION"})
    assert planned.release.version == "2.0.0"
    readme = planned.plugin.documents[1]
    assert (readme.title, readme.file.path) == ("README.md", f"{GO}/docs/README.md")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("../gone.md", "a link to plugins/wasm-go/extensions/gone.md, which is no file"),
        ("docs", "a link to .*/docs, which is no file"),
        ("/etc/hostname", "leaves the repository"),
        ("README.md", "in a circle"),
    ],
)
def test_a_document_that_is_a_link_to_nothing_is_said_not_left_out(target: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as failure:
        plan(FILES | {f"{GO}/README.md": target}, links=[f"{GO}/README.md"])
    assert failure.value.subject == f"{GO}/README.md"


def test_the_version_is_what_was_asked_for_else_the_file_else_the_commit() -> None:
    assert plan(version="3.0.0").release.version == "3.0.0"
    assert plan().release.version == "1.2.3"
    without = {path: text for path, text in FILES.items() if not path.endswith("VERSION")}
    assert plan(without).release.version == "20240708-040000-0123456"


def test_a_version_file_that_is_no_version_is_refused() -> None:
    for text in ("1.0.0+build", "1.0"):
        with pytest.raises(RequestError, match="extensions/request-block/VERSION"):
            plan({**FILES, f"{GO}/VERSION": text})


def test_a_version_file_in_utf_16_is_refused_with_its_path() -> None:
    with pytest.raises(SourceError, match=f"{GO}/VERSION: the file is not UTF-8"):
        plan({**FILES, f"{GO}/VERSION": "1.2.3\n".encode("utf-16")})


def test_a_version_file_with_a_byte_order_mark_and_windows_line_ends_is_read() -> None:
    assert plan({**FILES, f"{GO}/VERSION": "\ufeff1.2.3\r\n"}).release.version == "1.2.3"


def test_the_fingerprint_changes_with_what_is_published_and_with_nothing_else() -> None:
    known = plan().fingerprint
    assert plan({**FILES, "LICENSE": "another"}).fingerprint == known
    assert plan(version="9.9.9").fingerprint == known
    assert plan(source=replace(SOURCE, commit="f" * 40, commit_time=1)).fingerprint == known
    for path in (f"{GO}/main.go", f"{GO}/README_EN.md", f"{GO}/docs/README.md", f"{GO}/spec.yaml"):
        assert plan({**FILES, path: "changed: yes"}).fingerprint != known, path
    assert plan(site=load_site({"PLUGINYARD_VERSION_GO": "1.25.0"})).fingerprint != known
    assert plan(site=load_site({"GOPROXY": "https://mirror.example.com"})).fingerprint == known


def test_nothing_is_fetched_where_there_is_nothing_to_fetch() -> None:
    requiring = {**FILES, f"{GO}/go.mod": "module x\n\nrequire example.com/y v1.0.0\n"}
    assert plan().recipe.fetch is plan(requiring).recipe.fetch is None
    assert plan({**requiring, f"{GO}/go.sum": "example.com/y v1.0.0 h1:x=\n"}).recipe.fetch is not None


def test_an_unknown_plugin_is_told_its_nearest_neighbour() -> None:
    with pytest.raises(SourceError, match="did you mean request-block"):
        plan(plugin="requestblock")


def test_a_plugin_of_another_language_is_told_which() -> None:
    with pytest.raises(SourceError, match="request-block is a plugin of go or tinygo: ask for that language"):
        plan(plugin="request-block", language="rust")


def test_a_repository_of_another_layout_is_told_the_setting() -> None:
    with pytest.raises(SourceError, match="no plugin lies in plugins/wasm-go/extensions: .* under `layout:`"):
        plan({"request-block/go.mod": "module x\n"})


def test_a_name_that_another_language_has_too_is_noted() -> None:
    both = {**FILES, "plugins/wasm-rust/extensions/request-block/Cargo.toml": ""}
    assert plan().plugin.notes == ()
    assert "plugins/wasm-rust/extensions/request-block" in plan(both).plugin.notes[0]


MCP = "plugins/wasm-go/mcp-servers"


def test_an_mcp_server_in_go_is_a_plugin_that_is_published_below_a_path_of_its_own() -> None:
    files = {f"{MCP}/amap-tools/go.mod": "module x\n", f"{MCP}/amap-tools/VERSION": "1.0.0\n"}
    build = plan(files, plugin="amap-tools", registries=["r.example.com/p", "oci:dist"])
    assert build.plugin.folder == f"{MCP}/amap-tools"
    assert list(map(str, build.references)) == [
        "r.example.com/p/mcp-server/amap-tools:1.0.0",
        "oci:dist/mcp-server:amap-tools-1.0.0",
    ]


def test_an_mcp_server_in_yaml_is_explained() -> None:
    with pytest.raises(SourceError, match="MCP server in YAML, with nothing to compile") as failure:
        plan({f"{MCP}/weather/mcp-server.yaml": "server: {}", f"{MCP}/weather/README.md": ""}, plugin="weather")
    assert failure.value.subject == f"{MCP}/weather"
    assert failure.value.remedy.endswith(f"put {MCP}/weather/mcp-server.yaml into its configuration")


def test_a_folder_without_the_toolchains_manifest_gives_way_to_one_that_has_it() -> None:
    files = {f"{GO}/README.md": "moved", f"{MCP}/request-block/go.mod": "module x\n"}
    assert plan(files).plugin.folder == f"{MCP}/request-block"


def test_of_two_folders_of_one_language_the_first_is_published_and_the_other_noted() -> None:
    build = plan({**FILES, f"{MCP}/request-block/go.mod": "module x\n"})
    assert build.plugin.folder == GO
    assert build.plugin.notes == (
        f"{MCP}/request-block has the same name and language, and is not published: rename it",
    )


def test_a_language_has_as_many_folders_as_the_file_says() -> None:
    settings = "layout: {go: {folder: a, builder: go, folders: [{folder: b, below: more}, {folder: c/d}]}}"
    files = {"pluginyard.yaml": settings, "b/one/go.mod": "module one\n", "c/d/two/go.mod": "module two\n"}
    one, two = plan(files, plugin="one", version="1.0.0"), plan(files, plugin="two", version="1.0.0")
    assert [str(reference) for build in (one, two) for reference in build.references] == [
        "r.example.com/p/more/one:1.0.0",
        "r.example.com/p/two:1.0.0",
    ]


def test_a_workspace_changes_what_is_built_and_how_and_no_plugin_without_one() -> None:
    known = plan().recipe
    workspace = {"go.work": f"go 1.24\nuse (\n\t./{GO}\n\t./shared\n)\n", "shared/go.mod": "module shared\n"}
    build = plan({**FILES, **workspace, "shared/go.sum": "example.com/x v1.0.0 h1:x=\n"})
    assert {"go.work", "shared/go.mod", "shared/go.sum"} <= {file.path for file in build.plugin.context}
    assert build.recipe.fetch, "shared needs something, though the plugin has no go.sum"
    for step in (build.recipe.fetch, build.recipe.compile):
        assert step.environment["GOWORK"] == "{work}/src/go.work"
    assert known.compile.environment["GOWORK"] == "off"
    assert plan({**FILES, "go.work": "use ./shared\n", "shared/go.mod": ""}).fingerprint == plan().fingerprint


def test_prebuild_waits_for_the_site_to_allow_it() -> None:
    hooked = {**FILES, f"{GO}/.prebuild": "echo"}
    with pytest.raises(ConfigurationError, match="PLUGINYARD_ALLOW_PREBUILD"):
        plan(hooked)
    assert ".prebuild" in plan(hooked, site=load_site({"PLUGINYARD_ALLOW_PREBUILD": "true"})).recipe.compile.script


def test_a_prepare_script_refuses_no_plugin_and_is_noted_until_the_site_allows_it() -> None:
    prepared = {**FILES, f"{GO}/prepare.sh": "curl -o data.bin https://example.com/data.bin"}
    assert plan(prepared).notes == (
        f"{GO}/prepare.sh was not run: review it, then set PLUGINYARD_ALLOW_PREBUILD=network",
    )
    allowed = plan(prepared, site=load_site({"PLUGINYARD_ALLOW_PREBUILD": "network"}))
    assert allowed.notes == ()
    assert allowed.recipe.layer_script is not None
    assert allowed.fingerprint != plan(prepared).fingerprint
    with pytest.raises(ConfigurationError, match="PLUGINYARD_ALLOW_PREBUILD"):
        load_site({"PLUGINYARD_ALLOW_PREBUILD": "netwrok"})


def test_where_to_publish_is_the_requests_word_then_the_sites_then_the_repositorys() -> None:
    files = {**FILES, "pluginyard.yaml": "registries: [repo.example.com/p]"}
    site = load_site({"PLUGINYARD_REGISTRIES": "one.example.com/p, two.example.com/p"})
    assert [str(place) for place in plan(files, site=site).destinations] == ["r.example.com/p"]
    assert [place.host for place in plan(files, site=site, registries=[]).destinations] == [
        "one.example.com",
        "two.example.com",
    ]
    assert [place.host for place in plan(files, registries=[]).destinations] == ["repo.example.com"]
    with pytest.raises(RequestError, match="no registry is named"):
        plan(registries=[])


def test_the_manifest_is_decided_by_commit_and_content() -> None:
    layer = Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "sha256:" + "0" * 64, 1)
    annotations = choose_annotations(plan())
    assert annotations[CREATED] == "2024-07-08T04:00:00Z"
    assert annotations[FINGERPRINT] == plan().fingerprint
    shuffled = dict(reversed(annotations.items()))
    first, second = (render_manifest([layer], notes, "x/y").digest for notes in (annotations, shuffled))
    assert first == second


@pytest.mark.parametrize(
    "fields",
    [{}, {"tag": "wasm-go-a-v1.0.0", "plugin": "a"}, {"tag": "wasm-go-a-v1.0.0", "version": "1.0.0"}, {"plugn": "a"}],
)
def test_a_request_names_its_plugin_once(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="give either|says version and commit|Extra inputs"):
        PublishRequest.model_validate(fields)


def test_settings_that_are_loaded_already_are_not_loaded_again_for_each_plugin() -> None:
    files = {**FILES, "pluginyard.yaml": "tidy: true"}
    assert plan(files).recipe.identity["tidy"]
    assert not plan(files, settings=RepositorySettings()).recipe.identity["tidy"]


def test_an_engine_is_asked_once_for_each_builder_of_many_plugins() -> None:
    asked = []

    def choose_host(builder: Builder) -> str:
        asked.append(builder.name)
        if builder.name == "rust":
            raise EngineUnavailableError("it is gone", subject="engine", remedy="start it")
        return "1.24.4"

    remembered = ask_once(choose_host)
    for _ in range(3):
        assert remembered(BUILDERS["go"]) == "1.24.4"
        with pytest.raises(EngineUnavailableError, match="it is gone"):
            remembered(BUILDERS["rust"])
    assert asked == ["go", "rust"]
