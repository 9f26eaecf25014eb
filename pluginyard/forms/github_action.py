"""What a run of the GitHub Action asks for: arguments and environment of `pluginyard publish` (see action.yml)."""

from __future__ import annotations

from collections.abc import Mapping

from pluginyard.errors import RequestError

_TAGS = "refs/tags/"
# Inputs that replace a variable of the workflow, where they are given.
_VARIABLES = ("IMAGE_REGISTRY_SERVICE", "IMAGE_REPOSITORY", "REGISTRY_USERNAME", "REGISTRY_PASSWORD")
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
    chosen |= {name: text for name in _VARIABLES if (text := environment.get(f"INPUT_{name}"))}
    if not any(chosen.get(name) for name in ("PLUGINYARD_REGISTRIES", "IMAGE_REGISTRY_SERVICE", "IMAGE_REGISTRY")):
        chosen["IMAGE_REGISTRY_SERVICE"] = _DEFAULT_REGISTRY
    return chosen
