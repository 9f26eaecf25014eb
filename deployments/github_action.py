"""The GitHub Action's one step: publish what the workflow run is about, and tell GitHub (see action.yml).

Whatever comes from outside (inputs, names of tags) comes as environment and goes on as arguments: no shell reads it.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pluginyard.errors import PluginyardError, RequestError
from pluginyard.printable import printable, printable_values
from pluginyard.releases import PublishedPlugin
from pluginyard.reports import render_markdown

_TAGS = "refs/tags/"
# Names of the inputs that replace a variable of the workflow, where they are given.
_VARIABLES = {
    "INPUT_IMAGE_REGISTRY_SERVICE": "IMAGE_REGISTRY_SERVICE",
    "INPUT_IMAGE_REPOSITORY": "IMAGE_REPOSITORY",
    "INPUT_REGISTRY_USERNAME": "REGISTRY_USERNAME",
    "INPUT_REGISTRY_PASSWORD": "REGISTRY_PASSWORD",
}
_DEFAULT_REGISTRY = "higress-registry.cn-hangzhou.cr.aliyuncs.com"


def choose_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return the arguments of `pluginyard publish`: a named plugin, else the tag that the run is of.

    Raises RequestError where there is neither.
    """
    name, ref = environment.get("INPUT_PLUGIN_NAME", ""), environment.get("GITHUB_REF", "")
    repository = environment.get("INPUT_REPOSITORY") or environment.get("GITHUB_WORKSPACE") or "."
    arguments = [f"--repository={repository}"]
    if name:
        named = {
            "plugin": name,
            "language": environment.get("INPUT_PLUGIN_TYPE") or "go",
            "version": environment.get("INPUT_VERSION", "").removeprefix("v"),
            "ref": environment.get("GITHUB_SHA", "") if not environment.get("INPUT_REPOSITORY") else "",
        }
        arguments += [f"--{option}={value}" for option, value in named.items() if value]
    elif ref.startswith(_TAGS):
        arguments.append(f"--tag={ref.removeprefix(_TAGS)}")
    else:
        raise RequestError(
            "neither a plugin's name nor a tag", subject=ref or "workflow run", remedy="set plugin_name, or push a tag"
        )
    flags = ("plain_http", "run_in_envoy")
    return arguments + [
        f"--{flag.replace('_', '-')}" for flag in flags if environment.get(f"INPUT_{flag.upper()}") == "true"
    ]


def choose_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the command: inputs over the variables of the same name, and no input itself."""
    chosen = {name: text for name, text in environment.items() if not name.startswith("INPUT_")}
    chosen |= {variable: environment[name] for name, variable in _VARIABLES.items() if environment.get(name)}
    if not any(chosen.get(name) for name in ("PLUGINYARD_REGISTRIES", "IMAGE_REGISTRY_SERVICE", "IMAGE_REGISTRY")):
        chosen["IMAGE_REGISTRY_SERVICE"] = _DEFAULT_REGISTRY
    return chosen


def main() -> int:
    """Publish, write outputs and summary, and return the command's exit code."""
    try:
        command = [sys.executable, "-m", "flows", "publish", "--output=json", *choose_arguments(os.environ)]
    except PluginyardError as error:
        return _fail(str(error), error.exit_code)
    done = subprocess.run(  # noqa: S603  # arguments, no shell
        command, env=choose_environment(os.environ), stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return _fail(f"pluginyard ended with exit code {done.returncode}", done.returncode or 1)
    if "error" in told:
        fault = told["error"]
        return _fail(": ".join(filter(None, (fault["subject"], fault["message"]))), done.returncode, fault["remedy"])
    told = printable_values(told, lines=True)
    _write_outputs(told)
    _append("GITHUB_STEP_SUMMARY", render_markdown(_published(told)))
    print(printable(f"{told['reference']}@{told['digest']}: {told['verdict']['summary']}"))
    return done.returncode


def _published(told: Mapping[str, Any]) -> PublishedPlugin:
    return PublishedPlugin(**{name: told[name] for name in PublishedPlugin.__dataclass_fields__})


def _write_outputs(told: Mapping[str, Any]) -> None:
    outputs = {
        "reference": told["reference"],
        "digest": told["digest"],
        "verdict": told["verdict"]["summary"],
        "published": json.dumps(told["published"]),
    }
    for name, value in outputs.items():
        end = secrets.token_hex(16)  # a value cannot end itself and begin another output
        _append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")


def _fail(message: str, code: int, remedy: str = "") -> int:
    """Tell the person who reads the run; a workflow command ends at a line break, so those are escaped."""
    text = "\n".join(filter(None, (message, f"remedy: {remedy}" if remedy else "")))
    text = printable(text, lines=True)
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=pluginyard::{escaped}")
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    _append("GITHUB_STEP_SUMMARY", f"# Not published\n\n{indented}\n")
    return code


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable, ""):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
