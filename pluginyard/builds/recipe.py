"""The recipe of a build: what runs where, with which limits, and the identity that decides the bytes.

A recipe is planned without an engine or a toolchain at hand; the doors `containers` and `toolchains`
carry it out. `{work}` in its texts is the build's root, which each door chooses.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pluginyard.builds.builder import Builder, Command, Definition, FetchDefinition
from pluginyard.builds.buildrc import parse_buildrc
from pluginyard.errors import ConfigurationError

Kind = Literal["container", "host"]
MIB = 1024 * 1024
PREBUILD: Command = ("sh", "./.prebuild")
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


@dataclass(frozen=True)
class Limits:
    """Bound what one step of a build may use."""

    seconds: int = 1200
    memory_bytes: int = 2048 * MIB
    processes: int = 256
    cpus: float = 2.0
    module_bytes: int = 256 * MIB
    """Largest module that is taken out of a build."""

    @property
    def whole_seconds(self) -> int:
        """Return the seconds that a whole build may take: its image, fetching, compiling; each has its own limit."""
        return max(7200, 2 * self.seconds + 3600)


@dataclass(frozen=True)
class BuildSettings:
    """What a site and a user decide about builds."""

    engine: Literal["auto", "container", "host"] = "auto"
    engine_address: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    """Ready image by builder; used as it is."""
    base_images: Mapping[str, str] = field(default_factory=dict)
    """Image the Dockerfile starts from, by builder; `*` is for all."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version of the toolchain, by builder."""
    fetch_environment: Mapping[str, str] = field(default_factory=dict)
    """Mirrors and proxies: seen by the fetch step and the building of images only."""
    ca_bundle: str = ""
    """PEM file on this machine; seen by the fetch step and the building of images only."""
    netrc: str = ""
    """File on this machine with the passwords of hosts; seen by the fetch step only."""
    cache: Literal["private", "shared"] = "private"
    allow_prebuild: bool = False
    tidy: bool = False
    limits: Limits = Limits()

    def base_image(self, builder: Builder) -> str:
        """Return the image that the Dockerfile of `builder` starts from."""
        asked = self.base_images.get(builder.name) or self.base_images.get("*", "")
        return asked or builder.definition.image.base.replace("{version}", self.version(builder))

    def ready_image(self, builder: Builder) -> str:
        """Return the image that is used as it is; empty where one is built from the folder."""
        if builder.name in self.images:
            return self.images[builder.name]
        # A base image that was asked for means: build mine.
        return "" if self.base_images.get(builder.name) else builder.definition.image.ready

    def version(self, builder: Builder) -> str:
        """Return the version that the toolchain of `builder` must have."""
        return self.versions.get(builder.name) or builder.definition.toolchain.version


@dataclass(frozen=True)
class BuildStep:
    """Hold the commands of one container, run in the plugin's folder, and their whole environment."""

    commands: tuple[Command, ...]
    environment: Mapping[str, str]

    def at(self, work: str, version: str) -> BuildStep:
        """Return the step for the build's root `work` and the toolchain's real `version`."""
        texts = {"work": work, "version": version}
        environment = {name: _fill(value, texts) for name, value in self.environment.items()}
        return BuildStep(_filled(self.commands, texts), environment)

    @property
    def script(self) -> str:
        """Return the commands as one shell text that ends with the first that fails."""
        return " && ".join(shlex.join(command) for command in self.commands)


@dataclass(frozen=True)
class Recipe:
    """Say all that is needed to turn a plugin's source into its module."""

    builder: Builder
    kind: Kind
    version: str
    folder: str
    """The plugin's folder, relative to the repository."""
    fetch: BuildStep | None
    compile: BuildStep
    limits: Limits
    cache: Literal["private", "shared"]
    ca_bundle: str
    netrc: str
    identity: Mapping[str, Any]
    """What determines the module's bytes, besides the source; part of the fingerprint."""

    @property
    def toolchain(self) -> str:
        """Return the toolchain with its version, as reports name it."""
        return f"{self.builder.definition.toolchain.name} {self.version}"

    def output(self, work: str) -> str:
        """Return the path of the module that the commands leave."""
        return _fill(self.builder.definition.compile.output, {"work": work, "folder": self.folder})

    def on_host(self, version: str) -> Recipe:
        """Return the recipe for a toolchain of this machine: another identity.

        Raises ConfigurationError where the plugin's own `.prebuild` would run outside a container.
        """
        if PREBUILD in self.compile.commands:
            raise ConfigurationError(
                "the plugin's .prebuild runs in a container only, and this machine's own toolchain would build it",
                subject=f"{self.folder}/.prebuild",
                remedy="start Docker, or name its address in DOCKER_HOST; else commit what .prebuild makes",
            )
        known = {**self.identity, "kind": "host", "toolchain": f"{self.identity['toolchain'].split()[0]} {version}"}
        return replace(self, kind="host", version=version, identity={**known, "image": ""})


@dataclass(frozen=True)
class BuiltModule:
    """Name the module that a build left: a file on this machine, its digest and size in bytes."""

    path: str
    digest: str
    size: int
    toolchain: str
    kind: Kind


def plan_recipe(
    builder: Builder,
    *,
    plugin_folder: str,
    settings: BuildSettings,
    buildrc: str = "",
    has_prebuild: bool = False,
    needs_fetch: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Recipe:
    """Plan how the plugin in `plugin_folder` is built; `environment` is of this plugin, and goes over the builder's.

    Raises SourceError for a `.buildrc` that is more than data, and ConfigurationError for a
    `.prebuild` that the site does not allow.
    """
    if has_prebuild and not settings.allow_prebuild:
        raise ConfigurationError(
            "the plugin wants to run .prebuild, and this site does not allow it",
            subject=f"{plugin_folder}/.prebuild",
            remedy="review it, then set PLUGINYARD_ALLOW_PREBUILD=true: it runs where the module is compiled",
        )
    definition = builder.definition
    texts = {"folder": plugin_folder} | dict.fromkeys(definition.buildrc, "")
    texts |= parse_buildrc(buildrc, builder, subject=f"{plugin_folder}/.buildrc")
    compiling = BuildStep(
        _filled(((PREBUILD,) if has_prebuild else ()) + definition.compile.commands, texts),
        _environment(definition, {**definition.compile.environment, **(environment or {})}, texts),
    )
    return Recipe(
        builder=builder,
        kind="container",
        version=settings.version(builder),
        folder=plugin_folder,
        fetch=_plan_fetch(definition, settings, texts, environment or {}) if needs_fetch or settings.tidy else None,
        compile=compiling,
        limits=settings.limits,
        cache=settings.cache,
        ca_bundle=settings.ca_bundle,
        netrc=settings.netrc,
        identity=_identity(builder, settings, compiling),
    )


def _plan_fetch(
    definition: Definition, settings: BuildSettings, texts: Mapping[str, str], own: Mapping[str, str]
) -> BuildStep | None:
    fetch: FetchDefinition | None = definition.fetch
    if fetch is None:
        return None
    commands = (fetch.tidy if settings.tidy else ()) + fetch.commands
    environment = _environment(definition, {**fetch.environment, **own}, texts)
    return BuildStep(_filled(commands, texts), {**environment, **settings.fetch_environment})


def _environment(definition: Definition, own: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, str]:
    everywhere = {"HOME": "{work}/home", "TMPDIR": "{work}/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    together = {**everywhere, **definition.environment, **own}
    return {name: _fill(value, texts) for name, value in together.items()}


def _identity(builder: Builder, settings: BuildSettings, compiling: BuildStep) -> dict[str, Any]:
    pinned = _DIGEST.search(settings.ready_image(builder) or settings.base_image(builder))
    return {
        "builder": builder.name,
        "kind": "container",
        "toolchain": f"{builder.definition.toolchain.name} {settings.version(builder)}",
        "image": pinned[1] if pinned else "",
        "definition": builder.digest,
        "fetch": [list(command) for command in builder.definition.fetch.commands] if builder.definition.fetch else [],
        "commands": [list(command) for command in compiling.commands],
        "output": builder.definition.compile.output,
        "environment": dict(sorted(compiling.environment.items())),
        "tidy": settings.tidy,
    }


def _filled(commands: tuple[Command, ...], texts: Mapping[str, str]) -> tuple[Command, ...]:
    return tuple(tuple(_fill(word, texts).strip() for word in command) for command in commands)


def _fill(text: str, texts: Mapping[str, str]) -> str:
    for name, value in texts.items():
        text = text.replace(f"{{{name}}}", value)
    return text
