"""Which folders Go reads, by go.mod and go.work; what is written there by people who mean no good."""

from __future__ import annotations

import time

import pytest

from pluginyard.errors import SourceError
from pluginyard.sources import collect_context
from pluginyard.sources.contexts import Context
from pluginyard.sources.go_modules import local_replacements
from tests.machine.source_trees import commit_of

PLUGIN = "plugins/wasm-go/extensions/a"
OWN = {f"{PLUGIN}/go.mod": "module a\n", f"{PLUGIN}/main.go": "package main\n"}


def collect(files: dict[str, str]) -> Context:
    commit = commit_of(files)
    return collect_context(commit.tree, PLUGIN, "go.mod", commit.read)


def paths(files: dict[str, str]) -> set[str]:
    return {file.path for file in collect(files).files}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("replace x => ../b", ("../b",)),
        ("replace x v1.0.0 => ../b // why", ("../b",)),
        ('replace "x" => "../b c"', ("../b c",)),
        ("replace x => `../b`", ("../b",)),
        ("replace (\n\tx => ./b\n\ty v1 => example.com/y v2\n)\nreplace z => ..\n", ("./b", "..")),
        ("replace(\n\tx => ./b\n)\n", ("./b",)),
        ("replace x => example.com/y v1.0.0", ()),
        ("// replace x => ../b", ()),
        ("require x v1.0.0 // => ../b", ()),
        ("replace x => /abs", ("/abs",)),
        ("replace x =>", ()),
        ("=> ../b", ()),
        (")\nreplace x => ../b\n(", ("../b",)),
    ],
)
def test_what_a_go_mod_replaces_is_read_as_go_reads_it(text: str, found: tuple[str, ...]) -> None:
    assert local_replacements(f"module a\n\n{text}\n") == found


@pytest.mark.parametrize(
    "text",
    [
        "=>" * 100_000,
        "=> " * 80_000,
        "replace x " + "=> ../b " * 20_000,
        '"' * 200_000,
        '"`' * 100_000,
        "(" * 200_000,
        "replace (\n" * 20_000,
        "/" * 200_000,
        "\\\r\x0b" * 60_000,
    ],
)
def test_no_line_of_a_go_mod_takes_long(text: str) -> None:
    began = time.process_time()
    local_replacements(text)
    assert time.process_time() - began < 1


WORKSPACE = {
    "plugins/wasm-go/go.work": "go 1.24\n\nuse (\n\t./extensions/a\n\t./pkg/shared // ours\n)\nuse ../../tools\n",
    "plugins/wasm-go/go.work.sum": "",
    "plugins/wasm-go/pkg/shared/go.mod": "module shared\nreplace z => ../z\n",
    "plugins/wasm-go/pkg/shared/s.go": "",
    "plugins/wasm-go/pkg/shared/nested/go.mod": "module nested\n",
    "plugins/wasm-go/pkg/z/go.mod": "module z\n",
    "tools/go.mod": "module tools\n",
    "tools/t.go": "",
}


def test_a_workspace_that_lists_the_plugin_is_read_with_all_its_modules_and_what_replaces_theirs() -> None:
    files = OWN | WORKSPACE | {"plugins/wasm-go/extensions/b/go.mod": "module b\n", "plugins/wasm-go/vendor/x": ""}
    left_out = {
        "plugins/wasm-go/pkg/shared/nested/go.mod",
        "plugins/wasm-go/extensions/b/go.mod",
        "plugins/wasm-go/vendor/x",
    }
    found = collect(files)
    assert {file.path for file in found.files} == set(files) - left_out
    assert found.environment == {"GOWORK": "{work}/src/plugins/wasm-go/go.work"}


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("go.work", "use ./plugins/wasm-go/extensions/b"),
        ("plugins/wasm-go/go.work", ""),
        (f"{PLUGIN}/nested/go.work", "use .."),
        ("other/go.work", f"use ../{PLUGIN}"),
    ],
)
def test_a_workspace_that_does_not_list_the_plugin_is_left_aside(name: str, work: str) -> None:
    found = collect(OWN | {name: work, "plugins/wasm-go/extensions/b/go.mod": ""})
    assert {file.path for file in found.files} - {f"{PLUGIN}/nested/go.work"} == set(OWN)
    assert (found.environment, found.needs_fetch) == ({}, False)
    seen = name in (f"{parent}go.work" for parent in ("", "plugins/wasm-go/"))
    assert [f"{name} does not list {PLUGIN}" in note for note in found.notes] == ([True] if seen else [])


def test_the_nearest_workspace_counts() -> None:
    far = {"go.work": f"use ./{PLUGIN}\nuse ./far\n", "far/go.mod": ""}
    near = {f"{PLUGIN}/go.work": "use .\nuse ../near\n", "plugins/wasm-go/extensions/near/go.mod": ""}
    assert paths(OWN | far | near) == set(OWN | near)
    assert paths(OWN | far) == set(OWN | far)


def test_vendored_modules_of_a_workspace_are_read_whole() -> None:
    vendored = {"plugins/wasm-go/vendor/modules.txt": "## workspace\n", "plugins/wasm-go/vendor/x/go.mod": "module x\n"}
    assert set(vendored) <= paths(OWN | WORKSPACE | vendored)


def test_a_workspace_replaces_modules_relative_to_itself() -> None:
    files = OWN | {"go.work": f"use ./{PLUGIN}\nreplace x => ./x\n", "x/go.mod": "module x\n", "x/x.go": ""}
    assert paths(files) == set(files)


@pytest.mark.parametrize(
    "sums", [f"{PLUGIN}/go.sum", "plugins/wasm-go/pkg/shared/go.sum", "plugins/wasm-go/go.work.sum"]
)
def test_a_workspace_with_checksums_anywhere_has_something_to_fetch(sums: str) -> None:
    files = OWN | WORKSPACE
    del files["plugins/wasm-go/go.work.sum"]
    assert not collect(files).needs_fetch
    assert collect(files | {sums: "x v1.0.0 h1:x=\n"}).needs_fetch


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (f"use ./{PLUGIN}\nuse ./gone\n", "go.work: depends on ./gone, where there is no go.mod\n.*commit gone/go.mod"),
        (f"use ./{PLUGIN}\nuse ../outside\n", "go.work: ../outside leaves the repository"),
        (f"use ./{PLUGIN}\nuse /abs\n", "go.work: /abs leaves the repository"),
        (f"use ./{PLUGIN}\nreplace x => ./gone\n", "go.work: depends on ./gone"),
    ],
)
def test_a_workspace_of_which_a_part_is_missing_says_which(work: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        collect(OWN | {"go.work": work})
