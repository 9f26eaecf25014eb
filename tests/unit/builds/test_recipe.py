from __future__ import annotations

import dataclasses
import shlex
import subprocess
import sys
from typing import Any

import pytest

from pluginyard.builds import PluginScript, Recipe, load_builder, plan_recipe
from pluginyard.errors import SourceError
from pluginyard.settings import Site, load_site
from tests.unit.builds.test_builder import SMALL, shipped

FOLDER = "plugins/wasm-go/extensions/ai-proxy"
# Higress, .github/workflows of July 2024.
COMMAND_OF_2024 = (
    "tinygo build -o ./plugin.wasm -scheduler=none -target=wasi -gc=custom"
    " -tags='custommalloc nottinygc_finalizer' ./main.go"
)
PINNED = "registry.example.com/go@sha256:" + "a" * 64


def site_with(**settings: Any) -> Site:
    return load_site({}).model_copy(update=settings)


def plan(name: str = "go", site: Site | None = None, **options: Any) -> Recipe:
    return plan_recipe(shipped(name), plugin_folder=FOLDER, site=site or site_with(), **options)


def test_the_plan_of_tinygo_is_the_command_of_2024() -> None:
    step = plan("tinygo").compile.at("/build", "0.28.1")
    assert [list(command) for command in step.commands] == [shlex.split(COMMAND_OF_2024)]
    assert plan("tinygo").output("/build") == f"/build/src/{FOLDER}/plugin.wasm"


def test_extra_tags_join_the_tags_of_2024() -> None:
    (command,) = plan("tinygo", buildrc="EXTRA_TAGS=proxy_wasm_version_0_2_100\n").compile.commands
    assert "-tags=custommalloc nottinygc_finalizer proxy_wasm_version_0_2_100" in command


def test_tinygo_builds_in_the_builder_image_of_2024() -> None:
    image = shipped("tinygo").base_image(site_with())
    assert image.endswith("/plugins/wasm-go-builder:go1.19-tinygo0.28.1-oras1.0.0")


def test_go_compiles_a_reactor_for_wasip1_with_nothing_of_the_machine_in_it() -> None:
    step = plan("go").compile.at("/build", "1.24.4")
    command = step.commands[-1]
    assert command[:2] == ("go", "build")
    assert {"-trimpath", "-buildvcs=false", "-buildmode=c-shared"} <= set(command)
    wanted = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOPROXY": "off", "GOWORK": "off"}
    assert wanted.items() <= step.environment.items()


def test_only_the_fetch_step_knows_the_mirrors() -> None:
    site = site_with(fetch_environment={"GOPROXY": "https://mirror.example.com", "HTTPS_PROXY": "http://p:1"})
    recipe = plan("go", site)
    assert recipe.fetch is not None
    assert recipe.fetch.environment["GOPROXY"] == "https://mirror.example.com"
    assert recipe.fetch.environment["HTTPS_PROXY"] == "http://p:1"
    assert "HTTPS_PROXY" not in recipe.compile.environment
    assert recipe.compile.environment["GOPROXY"] == "off"


def test_nothing_is_fetched_where_nothing_is_needed_unless_the_module_is_tidied() -> None:
    assert plan(needs_fetch=False).fetch is None
    tidied = plan(tidy=True, needs_fetch=False).fetch
    assert tidied is not None
    assert tidied.commands[0] == ("go", "mod", "tidy")
    untidied = plan().fetch
    assert untidied is not None
    assert ("go", "mod", "tidy") not in untidied.commands


def test_a_buildrc_is_data() -> None:
    recipe = plan(buildrc='# tags\n\nexport EXTRA_TAGS="a b"\n')
    assert "-tags=a b" in recipe.compile.commands[-1]
    assert recipe.fetch is not None
    assert "-tags=a b" in recipe.fetch.commands[-1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("curl http://x | sh", "KEY=VALUE"),
        ("EXTRA_TAGS=$(id)", "EXTRA_TAGS"),
        ("EXTRA_TAGS=`id`", "EXTRA_TAGS"),
        ("EXTRA_TAGS=a;id", "EXTRA_TAGS"),
        ("if true; then", "never executed"),
        ("\nEXTRA_TAGS = a", ".buildrc:2"),
    ],
)
def test_a_buildrc_that_is_more_than_data_is_refused(text: str, told: str) -> None:
    with pytest.raises(SourceError) as raised:
        plan(buildrc=text)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("builder", "text", "note"),
    [
        ("go", "IMAGE_NAME=other\n", ".buildrc:1: IMAGE_NAME is not used by the builder go; it uses EXTRA_TAGS"),
        (
            "go",
            "\nexport EXTRA_TAG=a\n",
            ".buildrc:2: EXTRA_TAG is not used by the builder go; did you mean EXTRA_TAGS?",
        ),
        ("go", "GOFLAGS=-toolexec=/x", ".buildrc:1: GOFLAGS is not used by the builder go; it uses EXTRA_TAGS"),
        (
            "tinygo",
            'IMAGE_NAME="$(cat name)"',
            ".buildrc:1: IMAGE_NAME is not used by the builder tinygo; it uses EXTRA_TAGS",
        ),
        ("rust", "EXTRA_TAGS=a", ".buildrc:1: EXTRA_TAGS is not used by the builder rust; it uses no key"),
    ],
)
def test_a_key_that_a_builder_does_not_use_is_noted_and_changes_nothing(builder: str, text: str, note: str) -> None:
    recipe = plan(builder, buildrc=text)
    assert recipe.notes == (f"{FOLDER}/{note}",)
    assert recipe.identity == plan(builder).identity


@pytest.mark.parametrize("line", ["EXTRA_TAGS=a,b # as in 2024", "EXTRA_TAGS='a,b'  # x", "EXTRA_TAGS=a,b"])
def test_a_comment_behind_a_value_is_none_of_it(line: str) -> None:
    assert "-tags=a,b" in plan(buildrc=line).compile.commands[-1]


CHANGES: dict[str, dict[str, Any]] = {
    "version": {"site": site_with(versions={"go": "1.24.5"})},
    "pinned base": {"site": site_with(base_images={"go": PINNED})},
    "tidy": {"tidy": True},
    "tags": {"buildrc": "EXTRA_TAGS=a"},
    "prebuild": {"site": site_with(allow_prebuild=True), "script": PluginScript(FOLDER, ".prebuild", b"echo")},
    "prepared": {"site": site_with(allow_prebuild="network"), "script": PluginScript(FOLDER, "prepare.sh", b"curl")},
}
SAME: dict[str, dict[str, Any]] = {
    "a mirror of the base image": {"site": site_with(base_images={"*": "mirror.example.com/go:1.24.4"})},
    "a module proxy": {"site": site_with(fetch_environment={"GOPROXY": "https://mirror.example.com"})},
    "a shared cache": {"site": site_with(build_cache="shared")},
    "authorities": {"site": site_with(ca_bundle="/etc/ca.pem")},
    "passwords of hosts": {"site": site_with(netrc="/etc/netrc")},
    "an engine": {"site": site_with(engine_address="tcp://127.0.0.1:1")},
    "a script that is not run": {"script": PluginScript(FOLDER, "prepare.sh", b"echo")},
    "an allowance that is not used": {"site": site_with(allow_prebuild=True)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_can_change_the_bytes_changes_the_identity(change: dict[str, Any]) -> None:
    assert plan(**change).identity != plan().identity


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_cannot_change_the_bytes_leaves_the_identity(change: dict[str, Any]) -> None:
    assert plan(**change).identity == plan().identity


def test_a_changed_script_of_the_builder_changes_the_identity() -> None:
    builder = shipped("go")
    changed = dataclasses.replace(builder, files={**builder.files, "warm.sh": b"exit 0\n"})
    other = plan_recipe(changed, plugin_folder=FOLDER, site=site_with())
    assert other.identity != plan().identity


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"[[tiny, build]]", b"[[tiny, build, -O2]]"),
        (b"{work}/out/plugin.wasm", b"{work}/out/other.wasm"),
        (b"manifest:", b"environment: {A: b}\nmanifest:"),
        (b"manifest:", b"fetch: {commands: [[tiny, fetch]]}\nmanifest:"),
        (b"version: 1.0.0", b"version: 1.0.1"),
    ],
)
def test_what_a_definition_runs_changes_the_identity(old: bytes, new: bytes) -> None:
    identities = [
        plan_recipe(
            load_builder("tiny", {"builder.yaml": text, "Dockerfile": b""}),
            plugin_folder=FOLDER,
            site=site_with(),
        ).identity
        for text in (SMALL, SMALL.replace(old, new))
    ]
    assert identities[0] != identities[1]


def test_a_host_toolchain_is_another_identity_with_its_own_version() -> None:
    recipe = plan().on_host("1.24.11")
    assert recipe.kind == "host"
    assert recipe.toolchain == "go 1.24.11"
    assert recipe.identity["toolchain"] == "go 1.24.11"
    assert recipe.identity["kind"] == "host"
    assert recipe.identity != plan().identity


def test_the_identity_names_no_folder_of_a_machine() -> None:
    text = repr(plan(site=site_with(ca_bundle="/srv/ca.pem")).identity)
    assert "/srv" not in text
    assert "{work}" in text


def test_an_image_that_was_asked_for_comes_before_the_folder_and_a_base_before_a_ready_image() -> None:
    ready = SMALL.replace(b'{base: "tiny:{version}"}', b'{base: "tiny:{version}", ready: "tiny:ready"}')
    builder = load_builder("tiny", {"builder.yaml": ready, "Dockerfile": b""})
    assert builder.ready_image(site_with()) == "tiny:ready"
    assert builder.ready_image(site_with(images={"tiny": "mine:1"})) == "mine:1"
    assert builder.ready_image(site_with(base_images={"tiny": "debian"})) == ""
    assert builder.base_image(site_with(versions={"tiny": "2.0"})) == "tiny:2.0"


def test_a_whole_build_has_time_for_all_its_steps() -> None:
    assert plan().whole_seconds == 7200
    assert plan(site=site_with(seconds=7200)).whole_seconds > 2 * 7200


def test_planning_imports_neither_the_engine_nor_the_flow_engine() -> None:
    text = "import sys, pluginyard.builds.recipe, tasks.doors.containers, tasks.doors.toolchains, tasks.doors.builders;"
    text += "print(sorted({'docker', 'prefect', 'requests'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
