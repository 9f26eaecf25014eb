from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.machine.action_runner import HOSTILE, ActionRun, plain_environment, run_action
from tests.machine.example_repository import commit, git, make_repository
from tests.machine.registries import RunningRegistry
from tests.machine.warm_toolchains import warm_cache

PROJECT = Path(__file__).parents[2]
TAG = "refs/tags/wasm-go-request-block-v1.0.0"
# What the steps import: a file of the same name in the workspace must not be taken for it.
TRAPS = (
    *("yaml", "uvicorn", "flows", "deployments", "prefect", "sitecustomize"),
    *("hashlib", "venv", "pip", "runpy", "ensurepip", "encodings", "site"),
)
Run = Callable[..., ActionRun]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of installed tools, which a runner keeps from one workflow run to the next."""
    kept = os.environ.get("PLUGINYARD_TEST_CACHE")
    return Path(kept) / "action-tools" if kept else tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what actions/checkout leaves, with modules that would be run by an action that looks for its own there."""
    folder = make_repository(tmp_path_factory.mktemp("workspace") / "plugins")
    trap = "import pathlib; pathlib.Path(__file__).with_name('marker').touch()\n"
    for name in TRAPS:
        (folder / f"{name}.py").write_text(trap)
    commit(folder, "Add modules")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_cache(tmp_path_factory.mktemp("user") / "cache")


@pytest.fixture
def run(tmp_path: Path, workspace: Path, tools: Path, cache: Path) -> Run:
    def run(inputs: dict[str, str], ref: str = "refs/heads/main", **environment: str) -> ActionRun:
        github = {"workspace": str(workspace), "ref": ref, "sha": git(workspace, "rev-parse", "HEAD")}
        own = {
            "RUNNER_TOOL_CACHE": str(tools),
            "PLUGINYARD_CACHE": str(cache),
            "PLUGINYARD_ENGINE": "host",
        }
        python = {"python": str(_python_that_records(tmp_path))}
        done = run_action(PROJECT, tmp_path, python | inputs, github, {**plain_environment(), **own, **environment})
        assert not list(workspace.rglob("marker")), "code of the workspace was run"
        assert "\nREGISTRY_" not in (tmp_path / "installs-with").read_text(), "the password is there while it installs"
        return done

    return run


def _python_that_records(folder: Path) -> Path:
    """Return a Python for the Install step that writes its environment to `folder` first."""
    found = folder / "python"
    record = folder / "installs-with"
    found.write_text(f'#!/bin/sh\nenv >> "{record}"\nexec "{sys.executable}" "$@"\n')
    found.chmod(0o755)
    return found


def test_a_pushed_tag_is_published_with_the_variables_of_the_old_workflow(
    run: Run, basic_registry: RunningRegistry
) -> None:
    done = run(
        {"plain_http": "true"},
        TAG,
        IMAGE_REGISTRY_SERVICE=basic_registry.host,
        IMAGE_REPOSITORY="plugins",
        REGISTRY_USERNAME=basic_registry.username,
        REGISTRY_PASSWORD=basic_registry.password,
    )
    assert done.exit_code == 0, done.log
    assert done.outputs["reference"] == f"{basic_registry.host}/plugins/request-block:1.0.0"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", done.outputs["digest"])
    assert "loads on every gateway" in done.outputs["verdict"]
    assert done.outputs["published"] == "true"
    assert "# Published: request-block 1.0.0" in done.summary
    assert "kind: WasmPlugin" in done.summary
    assert "2026-01-01" in done.summary
    assert basic_registry.password not in done.log + done.summary


def test_hostile_inputs_are_refused_as_values_and_run_nothing(run: Run) -> None:
    for value in HOSTILE:
        done = run({"plugin_name": value, "version": value, "plugin_type": value, "image_repository": value})
        assert done.exit_code == 2, done.log
        (annotation,) = re.findall(r"^::.*$", done.log, re.MULTILINE)
        assert annotation.startswith("::error title=pluginyard::")
        assert "# Not published" in done.summary


def test_a_run_of_a_branch_without_a_name_says_what_to_set(run: Run) -> None:
    done = run({})
    assert done.exit_code == 2
    assert "set plugin_name, or push a tag" in done.log


def test_no_expression_is_written_into_a_script() -> None:
    document = yaml.safe_load((PROJECT / "action.yml").read_text())
    for step in document["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert "uses" not in step
    for name, item in document["inputs"].items():
        assert item["description"], name
        assert isinstance(item["default"], str), name
    assert {"plugin_type", "plugin_name", "version"} <= set(document["inputs"])


def test_the_workflow_to_copy_hands_on_every_name_and_pins_the_checkout() -> None:
    guide = (PROJECT / "docs" / "github-action.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    job = yaml.safe_load(block)["jobs"]["publish"]
    read = set(
        re.findall(r'"((?:PLUGIN_)?IMAGE_[A-Z_]+)"', (PROJECT / "pluginyard" / "settings" / "site.py").read_text())
    )
    assert len(read) == 4
    assert {*read, "REGISTRY_USERNAME", "REGISTRY_PASSWORD"} == set(job["env"])
    checkout, ours = (step["uses"] for step in job["steps"] if "uses" in step)
    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", checkout)
    assert ours.endswith("@COMMIT")
