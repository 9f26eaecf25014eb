"""Run a composite GitHub Action as the runner does: each `run` in bash, values by environment and by files."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# What nobody means as a name or a tag.
HOSTILE = ("$(touch marker)", "`touch marker`", "x; touch marker", 'x" || touch marker #', "x\ntouch marker", "--help")
_EXPRESSION = re.compile(r"\$\{\{\s*([a-z0-9_.]+)\s*\}\}")


@dataclass
class ActionRun:
    """Hold what a run of the action left."""

    exit_code: int
    log: str
    summary: str
    outputs: dict[str, str] = field(default_factory=dict)


def run_action(
    action: Path, folder: Path, inputs: Mapping[str, str], github: Mapping[str, str], environment: Mapping[str, str]
) -> ActionRun:
    """Run the steps of `action` in `folder`; `github` is the context (ref, sha), `environment` the job's `env`."""
    document = yaml.safe_load((action / "action.yml").read_text())
    unknown = set(inputs) - set(document["inputs"])
    assert not unknown, unknown
    values = {f"inputs.{name}": str(inputs.get(name, item["default"])) for name, item in document["inputs"].items()}
    values |= {"github.action_path": str(action), "runner.temp": str(folder / "temp")}
    values |= {f"github.{name}": text for name, text in github.items()}
    (folder / "temp").mkdir(parents=True, exist_ok=True)
    run = ActionRun(0, "", "")
    for number, step in enumerate(document["runs"]["steps"]):
        assert step["shell"] == "bash"
        files = {name: folder / "temp" / f"{name}-{number}" for name in ("output", "summary", "script.sh")}
        files["output"].touch()
        files["summary"].touch()
        files["script.sh"].write_text(_fill(step["run"], values))
        own = {name: _fill(str(text), values) for name, text in step.get("env", {}).items()}
        job = {"GITHUB_REF": github["ref"], "GITHUB_SHA": github["sha"], "GITHUB_WORKSPACE": github["workspace"]}
        job |= {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(folder / "temp")}
        job |= {"GITHUB_OUTPUT": str(files["output"]), "GITHUB_STEP_SUMMARY": str(files["summary"])}
        done = _run_script(files["script.sh"], github["workspace"], {**environment, **job, **own})
        outputs = _parse_outputs(files["output"].read_text())
        values |= {f"steps.{step['id']}.outputs.{name}": text for name, text in outputs.items()}
        run.log += done.stdout + done.stderr
        run.summary += files["summary"].read_text()
        run.exit_code = done.returncode
        if done.returncode:
            return run
    run.outputs = {name: _fill(str(item["value"]), values) for name, item in document["outputs"].items()}
    return run


def _run_script(script: Path, workspace: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
    return subprocess.run(
        command, cwd=workspace, env=environment, capture_output=True, text=True, timeout=500, check=False
    )


def plain_environment() -> dict[str, str]:
    """Return this process's environment without settings of ours or of Prefect's."""
    ours = ("PREFECT_", "PLUGINYARD_", "REGISTRY_", "IMAGE_", "PYTHON", "GITHUB_", "INPUT_", "DOCKER_")
    return {name: text for name, text in os.environ.items() if not name.startswith(ours)}


def _fill(text: str, values: Mapping[str, Any]) -> str:
    return _EXPRESSION.sub(lambda found: str(values[found[1]]), text)


def _parse_outputs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, sign, end = line.partition("<<")
        if sign and "=" not in name:
            found[name] = "\n".join(iter(lambda end=end: next(lines), end))
        else:
            name, _, value = line.partition("=")
            found[name] = value
    return found
