from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

from pluginyard.errors import SourceError
from pluginyard.sources import LINK, SourceFile, SourceTree, collect_context
from pluginyard.sources.cargo_manifest import parse_manifest
from pluginyard.sources.tree import REGULAR, SUBMODULE

GO = "plugins/wasm-go/extensions"


def collect(
    files: Mapping[str, str],
    folder: str,
    manifest: str = "go.mod",
    links: Mapping[str, str] | None = None,
    inputs=(),
):
    contents = {**files, **(links or {})}
    tree = SourceTree(
        tuple(
            SourceFile(
                path,
                LINK if path in (links or {}) else REGULAR,
                hashlib.sha1(text.encode()).hexdigest(),
            )
            for path, text in contents.items()
        )
    )
    found = collect_context(tree, folder, manifest, lambda file: contents[file.path].encode(), inputs)
    return {file.path for file in found.files}


def test_the_whole_folder_is_read_and_no_neighbour() -> None:
    files = {
        f"{GO}/a/go.mod": "module a",
        f"{GO}/a/main.go": "",
        f"{GO}/a/prompts/x.md": "",
        f"{GO}/b/go.mod": "module b",
    }
    assert collect(files, f"{GO}/a") == {f"{GO}/a/go.mod", f"{GO}/a/main.go", f"{GO}/a/prompts/x.md"}


def test_a_local_replace_is_followed_out_of_the_folder_and_only_one_step() -> None:
    files = {
        f"{GO}/a/go.mod": "module a\nreplace (\n\texample.com/mcp => ../../pkg/mcp // shared\n"
        "\texample.com/x v1.0.0 => example.com/y v1.0.0\n)\n",
        f"{GO}/a/main.go": "",
        "plugins/wasm-go/pkg/mcp/go.mod": "module mcp\nreplace z => ../other",
        "plugins/wasm-go/pkg/mcp/mcp.go": "",
        "plugins/wasm-go/pkg/mcp/nested/go.mod": "module nested",
        "plugins/wasm-go/pkg/other/go.mod": "module other",
    }
    assert collect(files, f"{GO}/a") - {f"{GO}/a/go.mod", f"{GO}/a/main.go"} == {
        "plugins/wasm-go/pkg/mcp/go.mod",
        "plugins/wasm-go/pkg/mcp/mcp.go",
    }


def test_path_dependencies_of_cargo_are_followed_all_the_way_without_the_plugins_nested_in_them() -> None:
    rust = "plugins/wasm-rust"
    files = {
        f"{rust}/Cargo.toml": '[package]\nname="sdk"\n[dependencies]\nbase={path="base"}\n',
        f"{rust}/src/lib.rs": "",
        f"{rust}/base/Cargo.toml": "[package]",
        f"{rust}/base/src/lib.rs": "",
        f"{rust}/extensions/a/Cargo.toml": '[dependencies]\nsdk={path="../../"}\n[target.x.dev-dependencies]\n',
        f"{rust}/extensions/a/src/lib.rs": "",
        f"{rust}/extensions/b/Cargo.toml": "",
        f"{rust}/extensions/b/src/lib.rs": "",
    }
    found = collect(files, f"{rust}/extensions/a", "Cargo.toml")
    assert found == set(files) - {f"{rust}/extensions/b/Cargo.toml", f"{rust}/extensions/b/src/lib.rs"}


def test_a_workspace_above_the_plugin_is_read_whole() -> None:
    files = {
        "Cargo.toml": "[workspace]\nmembers=['a','b']",
        "Cargo.lock": "",
        "a/Cargo.toml": "",
        "b/Cargo.toml": "",
        "b/src/lib.rs": "",
    }
    assert collect(files, "a", "Cargo.toml") == set(files)


RUST = "plugins/wasm-rust/extensions"
PACKAGE = '[package]\nname = "p"\n'
ALONE = PACKAGE + "[workspace]\n"


def test_vendored_crates_are_read_wherever_the_configuration_above_the_plugin_says_that_they_lie() -> None:
    own = {
        f"{RUST}/a/Cargo.toml": ALONE,
        f"{RUST}/a/src/lib.rs": "",
        f"{RUST}/a/.cargo/config.toml": "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'vendor'\n",
        f"{RUST}/a/vendor/log/Cargo.toml": PACKAGE,
        f"{RUST}/a/vendor/log/.cargo-checksum.json": "{}",
        f"{RUST}/a/vendor/log/src/lib.rs": "",
    }
    above = {
        "plugins/.cargo/config": "[source.'git+https://h/r']\nlocal-registry = '../third-party/crates'\n",
        "third-party/crates/one.crate": "",
    }
    other = {"vendor/log/Cargo.toml": PACKAGE, f"{RUST}/b/.cargo/config.toml": "[source.v]\ndirectory = '../vendor'"}
    assert collect(own | above | other, f"{RUST}/a", "Cargo.toml") == set(own | above)


def test_vendored_crates_outside_the_repository_are_refused_by_the_name_of_the_configuration() -> None:
    files = {"a/Cargo.toml": ALONE, "a/.cargo/config.toml": "[source.v]\ndirectory = '/opt/crates'\n"}
    with pytest.raises(SourceError, match="a/.cargo/config.toml: /opt/crates leaves the repository"):
        collect(files, "a", "Cargo.toml")


def test_a_workspace_that_only_a_comment_names_is_none() -> None:
    files = {
        f"{RUST}/a/Cargo.toml": PACKAGE + "# no [workspace] of its own\n",
        "plugins/wasm-rust/Cargo.toml": "[workspace]\nmembers = ['extensions/*']\n",
        f"{RUST}/b/Cargo.toml": PACKAGE,
        f"{RUST}/b/src/lib.rs": "",
        "Cargo.toml": "[package]\nname = 'x'\n# [workspace]\n",
        "other/file": "",
    }
    assert collect(files, f"{RUST}/a", "Cargo.toml") == set(files) - {"other/file"}


def test_a_dependency_that_inherits_from_a_workspace_of_its_own_brings_what_it_inherits() -> None:
    files = {
        "a/Cargo.toml": ALONE + "[dependencies]\nx = {path = '../libs/x'}\n",
        "libs/Cargo.toml": "[workspace]\nmembers = ['*']\n"
        "[workspace.dependencies]\ny = {path = 'y'}\nz = {path = 'z'}\n",
        "libs/x/Cargo.toml": PACKAGE + "edition.workspace = true\n[dependencies]\ny.workspace = true\n",
        "libs/x/src/lib.rs": "",
        "libs/y/Cargo.toml": PACKAGE,
        "libs/y/src/lib.rs": "",
        "libs/z/Cargo.toml": PACKAGE,
    }
    assert collect(files, "a", "Cargo.toml") == set(files) - {"libs/z/Cargo.toml"}


def test_a_workspace_that_the_package_names_is_read_with_its_members_and_what_they_depend_on() -> None:
    files = {
        f"{RUST}/a/Cargo.toml": PACKAGE + "workspace = '../../ws'\n",
        "plugins/wasm-rust/ws/Cargo.toml": "[workspace]\nmembers = ['../extensions/*']\n"
        "exclude = ['../extensions/c']\n",
        "plugins/wasm-rust/ws/Cargo.lock": "",
        f"{RUST}/b/Cargo.toml": PACKAGE + "[dependencies]\nd = {path = '../../d'}\n",
        f"{RUST}/b/src/lib.rs": "",
        f"{RUST}/b/deeper/no/Cargo.toml": PACKAGE,
        f"{RUST}/c/Cargo.toml": PACKAGE,
        "plugins/wasm-rust/d/Cargo.toml": PACKAGE,
    }
    left_out = {f"{RUST}/c/Cargo.toml", f"{RUST}/b/deeper/no/Cargo.toml"}
    assert collect(files, f"{RUST}/a", "Cargo.toml") == set(files) - left_out


def test_a_workspace_that_excludes_the_plugin_is_not_read() -> None:
    files = {
        "Cargo.toml": "[workspace]\nmembers = ['b']\nexclude = ['plugins']\n",
        f"{RUST}/a/Cargo.toml": PACKAGE,
        "b/Cargo.toml": PACKAGE + "[dependencies]\nx = {path = 'gone'}\n",
    }
    assert collect(files, f"{RUST}/a", "Cargo.toml") == {"Cargo.toml", f"{RUST}/a/Cargo.toml"}


def test_members_of_the_plugins_own_workspace_are_read_though_they_are_packages_of_their_own() -> None:
    files = {
        "a/Cargo.toml": PACKAGE + "[workspace]\nmembers = ['crates/*', '.']\n",
        "a/crates/x/Cargo.toml": PACKAGE,
        "a/crates/x/src/lib.rs": "",
        "a/fuzz/Cargo.toml": PACKAGE,
    }
    assert collect(files, "a", "Cargo.toml") == set(files) - {"a/fuzz/Cargo.toml"}


def test_a_file_name_that_is_no_text_is_named() -> None:
    with pytest.raises(SourceError, match="not UTF-8") as failure:
        collect({f"{GO}/a/go.mod": "", f"{GO}/a/caf\udce9.txt": ""}, f"{GO}/a")
    assert str(failure.value).encode().startswith(rb"plugins/wasm-go/extensions/a/caf\xe9.txt")


def test_a_submodule_beside_what_the_compiler_reads_hinders_nobody() -> None:
    texts = {"Cargo.toml": b"[workspace]\nmembers = ['a']\n", "a/Cargo.toml": b""}
    files = [SourceFile(path, REGULAR, path) for path in texts] + [SourceFile("docs/theme", SUBMODULE, "1" * 40)]
    found = collect_context(SourceTree(files), "a", "Cargo.toml", lambda file: texts[file.path])
    assert {file.path for file in found.files} == set(texts)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../outside", "../../../../../../etc/shadow"])
def test_a_link_out_of_the_repository_is_refused(target: str) -> None:
    with pytest.raises(SourceError, match="leaves the repository"):
        collect({f"{GO}/a/go.mod": ""}, f"{GO}/a", links={f"{GO}/a/link": target})


def test_a_link_within_the_repository_brings_what_it_points_to() -> None:
    files = {f"{GO}/a/go.mod": "", "shared/rules/r.txt": "", "shared/one.txt": ""}
    links = {f"{GO}/a/rules": "../../../../shared/rules", "shared/rules/again": "../one.txt"}
    assert collect(files, f"{GO}/a", links=links) == set(files) | set(links)


@pytest.mark.parametrize("target", ["../../../../../outside", "/abs"])
def test_a_replace_that_leaves_the_repository_is_refused(target: str) -> None:
    with pytest.raises(SourceError, match="leaves the repository"):
        collect({f"{GO}/a/go.mod": f"replace x => {target}"}, f"{GO}/a")


def test_a_replace_to_nothing_names_what_is_missing() -> None:
    with pytest.raises(SourceError, match=r"commit plugins/wasm-go/pkg/gone/go\.mod"):
        collect({f"{GO}/a/go.mod": "replace x => ../../pkg/gone"}, f"{GO}/a")


def test_a_submodule_in_the_context_is_refused() -> None:
    tree = SourceTree((SourceFile("a/go.mod", REGULAR, "0" * 40), SourceFile("a/vendor/x", SUBMODULE, "1" * 40)))
    with pytest.raises(SourceError, match="submodule"):
        collect_context(tree, "a", "go.mod", lambda file: b"")


def test_further_inputs_are_named_by_the_configuration() -> None:
    files = {"a/go.mod": "", "data/x.txt": "", "data/y/z.txt": ""}
    assert collect(files, "a", inputs=("data/y",)) == {"a/go.mod", "data/y/z.txt"}
    with pytest.raises(SourceError, match="fix `inputs`"):
        collect(files, "a", inputs=("nothing",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not valid TOML"),
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("x = " + "1" * 5000, "number too long"),
        ("[dependencies]\nx = {path = 1}", "a path is 1, which is no text"),
        ("[package]\nworkspace = [1]", "a path is .1., which is no text"),
        ("[patch.crates-io]\nx = {path = {}}", "a path is {}"),
    ],
)
def test_a_cargo_file_that_cargo_would_not_read_is_named(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as failure:
        parse_manifest(text, "a/Cargo.toml")
    assert failure.value.subject == "a/Cargo.toml"


@pytest.mark.parametrize(
    "text", ["package = 1", "dependencies = [1]", "[patch]\nx = 1", "[target]\nx = 1", "workspace = []"]
)
def test_a_cargo_file_of_another_shape_names_no_dependency(text: str) -> None:
    found = parse_manifest(text, "a/Cargo.toml")
    assert (found.paths, found.inherited, found.root) == ((), frozenset(), "")


def test_what_lies_in_a_nested_package_is_left_out_however_deep_and_beside_names_that_begin_alike() -> None:
    files = {
        f"{GO}/a/go.mod": "module a\nreplace x => ../..\n",
        f"{GO}/a/deep/er/main.go": "",
        f"{GO}/a/tools/go.mod": "module tools",
        f"{GO}/a/tools/inner/go.mod": "module inner",
        f"{GO}/a/tools/inner/main.go": "",
        f"{GO}/a/tools/main.go": "",
        f"{GO}/a/tools-of-mine/main.go": "",
        f"{GO}/a/tools.go": "",
        f"{GO}/a/toolset.go": "",
        f"{GO}/b/go.mod": "module b",
        f"{GO}/b/main.go": "",
        f"{GO}/shared.go": "",
        "plugins/wasm-go/go.mod": "module x",
        "plugins/wasm-go/wrapper.go": "",
    }
    assert set(files) - collect(files, f"{GO}/a") == {
        f"{GO}/a/tools/go.mod",
        f"{GO}/a/tools/inner/go.mod",
        f"{GO}/a/tools/inner/main.go",
        f"{GO}/a/tools/main.go",
        f"{GO}/b/go.mod",
        f"{GO}/b/main.go",
    }


def test_a_package_that_many_plugins_share_is_listed_once() -> None:
    class CountingTree(SourceTree):
        listed: ClassVar[list[str]] = []

        def _without_nested(self, folder: str, manifest: str) -> Iterator[SourceFile]:
            self.listed.append(folder)
            return super()._without_nested(folder, manifest)

    names = [f"{GO}/plugin-{number}" for number in range(20)]
    files = {f"{name}/go.mod": "module p\nreplace x => ../..\n" for name in names} | {
        "plugins/wasm-go/go.mod": "module x"
    }
    tree = CountingTree(SourceFile(path, REGULAR, path) for path in files)
    for name in names:
        collect_context(tree, name, "go.mod", lambda file: files[file.path].encode())
    assert sorted(tree.listed) == sorted([*names, "plugins/wasm-go"])
