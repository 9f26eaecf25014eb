from __future__ import annotations

from pathlib import Path

import pytest

from pluginyard.gateways import Probe
from pluginyard.gateways.judge.verdicts import judge_documents, judge_module
from pluginyard.settings import load_configuration
from tasks.doors.gateways import Envoy, load_in_envoy
from tests.machine.example_repository import BROKEN_PLUGINS, HIGRESS_PLUGINS, git, make_repository, release_tags
from tests.machine.git_daemon import GitDaemon
from tests.machine.host_toolchains import GO_PLUGINS, RUST_PLUGINS, CompiledPlugins, compile_go, find_go, miss

GO_NAMES = sorted(each.name for each in (HIGRESS_PLUGINS / GO_PLUGINS).iterdir())
RUST_NAMES = sorted(each.name for each in (HIGRESS_PLUGINS / RUST_PLUGINS).iterdir())
SPECS = sorted(HIGRESS_PLUGINS.glob("plugins/*/extensions/*/spec.yaml"))
SETTINGS = load_configuration((HIGRESS_PLUGINS / "pluginyard.yaml").read_text(encoding="utf-8"))
# What a verdict from the bytes alone must say as the real Envoy does; a panic is only seen when it happens.
LINKED = (
    "request-block",
    "sdk-headers",
    "broken-no-abi",
    "broken-no-memory",
    "broken-missing-import",
    "broken-panic-in-request",
)


@pytest.mark.parametrize("name", LINKED)
def test_the_judge_says_of_a_module_what_the_real_envoy_says(
    compiled_plugins: CompiledPlugins, envoy: Envoy, tmp_path: Path, name: str
) -> None:
    module = compiled_plugins.go(name)
    with module.open("rb") as stream:
        judged = {each.gateway: each for each in judge_module(stream).gateways}["envoy"]
    probe = SETTINGS.plugin(name).probe or Probe()
    result = load_in_envoy(envoy, module, probe, log=lambda _: None, workdir=tmp_path, name=name)
    assert judged.loads == result.loaded, (judged.reason, result.reason)
    assert judged.reason in result.reason


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.parent.name)
def test_the_spec_of_every_example_keeps_every_rule(spec: Path) -> None:
    version = (spec.parent / "VERSION").read_text().strip()
    assert judge_documents(spec.read_bytes(), version=version, declared_version=version) == ()


@pytest.mark.parametrize(
    ("name", "told"), [("broken-spec", "expected ',' or ']'"), ("broken-spec-duplicate", "stands twice")]
)
def test_a_broken_spec_is_found_by_the_judge(name: str, told: str) -> None:
    findings = judge_documents((BROKEN_PLUGINS / GO_PLUGINS / name / "spec.yaml").read_bytes())
    assert any(told in each.message for each in findings)


def test_every_example_has_the_files_the_image_specification_asks_for() -> None:
    assert len(SPECS) == len(GO_NAMES) + len(RUST_NAMES)
    for folder in (spec.parent for spec in SPECS):
        assert (folder / "README.md").is_file(), folder
    icon = HIGRESS_PLUGINS / GO_PLUGINS / "request-block/icon.png"
    assert icon.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("broken-no-main", "requires exactly one main package"),
        ("broken-untidy", "cannot find module providing package github.com/tidwall/gjson"),
    ],
)
def test_a_broken_source_is_refused_by_the_compiler(name: str, told: str, tmp_path: Path) -> None:
    if not find_go():
        miss("a Go toolchain")
    done = compile_go(BROKEN_PLUGINS / GO_PLUGINS / name, tmp_path / "plugin.wasm")
    assert done.returncode != 0
    assert told in done.stderr


def test_an_embedded_text_is_part_of_the_module(compiled_plugins: CompiledPlugins, tmp_path: Path) -> None:
    embedded = compiled_plugins.go("prompt-embed")
    copy = make_repository(tmp_path / "repository")
    (copy / GO_PLUGINS / "prompt-embed/prompts/greet.md").write_text("Say good night.\n")
    done = compile_go(copy / GO_PLUGINS / "prompt-embed", tmp_path / "other.wasm")
    assert done.returncode == 0, done.stderr
    assert b"Say good night." in (tmp_path / "other.wasm").read_bytes()
    assert embedded.read_bytes() != (tmp_path / "other.wasm").read_bytes()


def test_the_same_sources_give_the_same_commit_and_a_tag_for_each_plugin(
    example_repository: Path, tmp_path: Path
) -> None:
    again = make_repository(tmp_path / "again")
    assert git(again, "rev-parse", "HEAD") == git(example_repository, "rev-parse", "HEAD")
    assert git(again, "status", "--porcelain") == ""
    tags = git(again, "tag").splitlines()
    assert tags == list(release_tags(again))
    assert len(tags) == len(GO_NAMES) + len(RUST_NAMES)
    assert "wasm-go-request-block-v1.0.0" in tags
    assert "wasm-rust-header-guard-v0.1.0" in tags


def test_a_repository_is_made_anew_and_any_other_folder_is_left_alone(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repository", BROKEN_PLUGINS)
    (folder / "of-the-last-run").touch()
    assert not (make_repository(folder, BROKEN_PLUGINS) / "of-the-last-run").exists()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "work").write_text("mine")
    with pytest.raises(RuntimeError, match="choose another folder"):
        make_repository(tmp_path / "own")
    assert (tmp_path / "own" / "work").read_text() == "mine"


def test_the_git_daemon_serves_the_repository(git_daemon: GitDaemon, example_repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", git_daemon.url(example_repository), "clone")
    assert git(tmp_path / "clone", "rev-parse", "HEAD") == git(example_repository, "rev-parse", "HEAD")
