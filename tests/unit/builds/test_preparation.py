"""A plugin's own script: the site says whether it runs, its words say whether it needs the network."""

from __future__ import annotations

from typing import Any

import pytest

from pluginyard.builds import PluginScript, Recipe, StepResult, explain_failure
from pluginyard.builds.preparation import PREPARED
from pluginyard.errors import ConfigurationError
from tests.unit.builds.test_recipe import FOLDER, plan, site_with

INSTALLS = b"#!/bin/bash\nset -e\napt-get update && apt-get install -y clang\n"
WRITES = b"echo 'package main' > made.go\n"
MISSING = {
    "go": "main.go:5:12: pattern made.bin: no matching files found",
    "tinygo": "main.go:5:12: pattern made.bin: no matching files found",
    "rust": "error: couldn't read `src/../made.bin`: No such file or directory (os error 2)",
}


def planned(name: str, content: bytes, allowed: Any = False, builder: str = "go") -> Recipe:
    return plan(builder, site_with(allow_prebuild=allowed), script=PluginScript(FOLDER, name, content))


@pytest.mark.parametrize(("content", "wanted"), [(WRITES, "true"), (INSTALLS, "network")])
def test_a_prebuild_is_refused_with_the_setting_that_allows_it(content: bytes, wanted: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        planned(".prebuild", content)
    assert raised.value.subject == f"{FOLDER}/.prebuild"
    assert f"PLUGINYARD_ALLOW_PREBUILD={wanted}" in raised.value.remedy


@pytest.mark.parametrize(
    ("name", "content", "allowed", "place"),
    [
        (".prebuild", WRITES, True, "compile"),
        (".prebuild", WRITES, "network", "compile"),
        (".prebuild", INSTALLS, True, "compile"),
        (".prebuild", INSTALLS, "network", "image"),
        ("prepare.sh", WRITES, False, "nowhere"),
        ("prepare.sh", WRITES, True, "compile"),
        ("prepare.sh", INSTALLS, False, "nowhere"),
        ("prepare.sh", INSTALLS, True, "nowhere"),
        ("prepare.sh", INSTALLS, "network", "image"),
    ],
)
def test_where_a_script_runs(name: str, content: bytes, allowed: Any, place: str) -> None:
    recipe = planned(name, content, allowed)
    assert recipe.preparation is not None
    assert recipe.preparation.place == place
    assert (recipe.compile.commands[0][1] == f"./{name}") is (place == "compile")
    assert (recipe.layer_script is not None) is (place == "image")
    assert bool(recipe.notes) is (place == "nowhere")
    assert recipe.fetch is not None
    assert f"./{name}" not in recipe.fetch.script


def test_the_command_of_an_allowed_prebuild_is_what_it_was() -> None:
    assert planned(".prebuild", b"#!/bin/bash\n", True).compile.commands[0] == ("sh", "./.prebuild")
    assert planned("prepare.sh", b"#!/bin/bash\n", True).compile.commands[0] == ("bash", "./prepare.sh")


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("curl -sSLo o200k_base.tiktoken https://example.com/o200k_base.tiktoken", True),
        ("[ -f x ] || wget -q https://example.com/x", True),
        ("apk add clang", True),
        ("pip install protobuf", True),
        ("go install example.com/tool@v1.0.0", True),
        ("git clone https://example.com/x", True),
        ("# needs curl\necho", False),
        ("go generate ./...", False),
        ("cargo build --offline", False),
        ("cp curly.txt aptly.txt", False),
    ],
)
def test_its_words_say_whether_a_script_takes_the_network(text: str, takes: bool) -> None:
    assert PluginScript(FOLDER, "prepare.sh", text.encode()).takes_network is takes


@pytest.mark.parametrize("allowed", [True, "network"])
def test_a_script_that_runs_is_refused_where_this_machine_itself_would_run_it(allowed: Any) -> None:
    recipe = planned(".prebuild", INSTALLS, allowed, "rust")
    with pytest.raises(ConfigurationError, match="in a container only") as raised:
        recipe.on_host("1.85")
    assert raised.value.subject == f"{FOLDER}/.prebuild"
    assert "DOCKER_HOST" in raised.value.remedy
    assert planned("prepare.sh", INSTALLS, False, "rust").on_host("1.85").kind == "host"


@pytest.mark.parametrize("builder", MISSING)
def test_a_missing_file_that_the_source_embeds_names_the_script_that_may_make_it(builder: str) -> None:
    result = StepResult(1, (MISSING[builder],))
    error = explain_failure(planned("prepare.sh", INSTALLS, False, builder), "compile", result)
    assert "made.bin" in error.message.splitlines()[0]
    assert "prepare.sh was not run and may make it" in error.remedy
    assert "PLUGINYARD_ALLOW_PREBUILD=network" in error.remedy
    assert "prepare.sh" not in explain_failure(plan(builder), "compile", result).remedy
    ran = explain_failure(planned("prepare.sh", INSTALLS, "network", builder), "compile", result)
    assert "look at prepare.sh, which ran before" in ran.remedy


def test_a_script_that_installs_where_there_is_no_network_is_told_the_setting() -> None:
    lines = ("E: Unable to fetch some archives", "Err:1 http://deb.example Temporary failure resolving 'deb.example'")
    error = explain_failure(planned(".prebuild", INSTALLS, True), "compile", StepResult(100, lines))
    assert "PLUGINYARD_ALLOW_PREBUILD=network" in error.remedy


def test_the_layer_has_the_script_and_nothing_else_of_plugin_or_site() -> None:
    site = site_with(fetch_environment={"GOPROXY": "https://mirror.example.com"}, netrc="/etc/netrc", seconds=77)
    files = PluginScript(FOLDER, "prepare.sh", INSTALLS).image_files("pluginyard/go:1", site)
    assert files.keys() == {"Dockerfile", "prepare.sh"}
    dockerfile = files["Dockerfile"].decode()
    assert dockerfile.startswith("FROM pluginyard/go:1\nUSER 0\nARG GOPROXY\n")
    assert f"WORKDIR {PREPARED}\n" in dockerfile
    assert "timeout 77 bash ./prepare.sh </dev/null" in dockerfile
    assert "mirror.example.com" not in dockerfile
    assert "netrc" not in dockerfile
