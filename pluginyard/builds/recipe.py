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

from pluginyard.builds.builder import Builder
from pluginyard.builds.buildrc import parse_buildrc
from pluginyard.builds.definition import Command, Definition, fill_text
from pluginyard.builds.preparation import PluginScript, Preparation, host_refusal, plan_preparation
from pluginyard.oci import DIGEST
from pluginyard.settings import Site

Kind = Literal["container", "host"]
StepName = Literal["fetch", "compile"]
MIB = 1024 * 1024
MODULE_BYTES = 256 * MIB
"""Largest module that is taken out of a build."""
# Every toolchain, and git and curl below it, takes its authorities from one of these.
_CA_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO")
_DIGEST = re.compile(rf"@({DIGEST})$")


@dataclass(frozen=True)
class BuildStep:
    """Hold the commands of one container, run in the plugin's folder, and their whole environment."""

    commands: tuple[Command, ...]
    environment: Mapping[str, str]

    def at(self, work: str, version: str) -> BuildStep:
        """Return the step for the build's root `work` and the toolchain's real `version`."""
        texts = {"work": work, "version": version}
        environment = {name: fill_text(value, texts) for name, value in self.environment.items()}
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
    site: Site = field(repr=False)
    """Limits, mirrors, passwords of hosts and caches: what the machine decides."""
    identity: Mapping[str, Any]
    """What determines the module's bytes, besides the source; part of the fingerprint."""
    preparation: Preparation | None = None
    """What becomes of the plugin's own script."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it is built."""

    @property
    def layer_script(self) -> PluginScript | None:
        """Return the plugin's script that runs in a layer of the builder's image, None where there is none."""
        return self.preparation.script if self.preparation and self.preparation.place == "image" else None

    @property
    def toolchain(self) -> str:
        """Return the toolchain with its version, as reports name it."""
        return f"{self.builder.definition.toolchain.name} {self.version}"

    def step(self, name: StepName, work: str, *, ca_bundle: str, netrc: str) -> BuildStep:
        """Return the step for the build's root `work`; the site's files are found at `ca_bundle` and `netrc`.

        Only the step that fetches is given them.
        """
        planned = self.fetch if name == "fetch" else self.compile
        assert planned is not None  # noqa: S101 - `fetch` is asked for only where there is one
        here = planned.at(work, self.version)
        own: dict[str, str] = {}
        if name == "fetch" and self.site.ca_bundle:
            own |= dict.fromkeys(_CA_VARIABLES, ca_bundle)
        if name == "fetch" and self.site.netrc:
            own["NETRC"] = netrc
        return BuildStep(here.commands, {**here.environment, **own})

    @property
    def whole_seconds(self) -> int:
        """Return the seconds that a whole build may take: its image, fetching, compiling; each has its own limit."""
        return max(7200, 2 * self.site.seconds + 3600)

    def output(self, work: str) -> str:
        """Return the path of the module that the commands leave."""
        return fill_text(self.builder.definition.compile.output, {"work": work, "folder": self.folder})

    def on_host(self, version: str, note: str = "") -> Recipe:
        """Return the recipe for a toolchain of this machine, of which a report says `note`: another identity.

        Raises ConfigurationError where the plugin's own script would run outside a container.
        """
        if self.preparation and self.preparation.place != "nowhere":
            raise host_refusal(self.preparation.script)
        known = {**self.identity, "kind": "host", "toolchain": f"{self.identity['toolchain'].split()[0]} {version}"}
        notes = (*self.notes, *filter(None, [note]))
        return replace(self, kind="host", version=version, identity={**known, "image": ""}, notes=notes)


@dataclass(frozen=True)
class HostChoice:
    """Name the version of this machine's own toolchain, which will build, and what a report says of that."""

    version: str
    note: str = ""


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
    site: Site,
    tidy: bool = False,
    buildrc: str = "",
    script: PluginScript | None = None,
    needs_fetch: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Recipe:
    """Plan how the plugin in `plugin_folder` is built; `environment` is of this plugin, and goes over the builder's.

    Raises SourceError for a `.buildrc` that is more than data, and ConfigurationError for a `.prebuild` (`script`) that
    the site does not allow.
    """
    preparation = plan_preparation(script, site) if script else None
    first = (script.sealed_command,) if script and preparation and preparation.place == "compile" else ()
    definition = builder.definition
    texts = {"folder": plugin_folder} | dict.fromkeys(definition.buildrc, "")
    asked = parse_buildrc(buildrc, builder, subject=f"{plugin_folder}/.buildrc")
    texts |= asked.values
    compiling = BuildStep(
        _filled(first + definition.compile.commands, texts),
        _environment(definition, {**definition.compile.environment, **(environment or {})}, texts),
    )
    return Recipe(
        builder=builder,
        kind="container",
        version=builder.version(site),
        folder=plugin_folder,
        fetch=_plan_fetch(definition, site, texts, environment or {}, tidy=tidy) if needs_fetch or tidy else None,
        compile=compiling,
        site=site,
        identity=_identity(builder, site, compiling, tidy=tidy) | _prepared(preparation),
        preparation=preparation,
        notes=(*asked.notes, *filter(None, [preparation.note if preparation else ""])),
    )


def _prepared(preparation: Preparation | None) -> dict[str, Any]:
    """Return what a layer adds to the identity; the script itself is among the files that are hashed."""
    return {"prepared": preparation.script.name} if preparation and preparation.place == "image" else {}


def _plan_fetch(
    definition: Definition, site: Site, texts: Mapping[str, str], own: Mapping[str, str], *, tidy: bool
) -> BuildStep | None:
    fetch = definition.fetch
    if fetch is None:
        return None
    commands = (fetch.tidy if tidy else ()) + fetch.commands
    environment = _environment(definition, {**fetch.environment, **own}, texts)
    return BuildStep(_filled(commands, texts), {**environment, **site.fetch_environment})


def _environment(definition: Definition, own: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, str]:
    everywhere = {"HOME": "{work}/home", "TMPDIR": "{work}/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    together = {**everywhere, **definition.environment, **own}
    return {name: fill_text(value, texts) for name, value in together.items()}


def _identity(builder: Builder, site: Site, compiling: BuildStep, *, tidy: bool) -> dict[str, Any]:
    pinned = _DIGEST.search(builder.ready_image(site) or builder.base_image(site))
    return {
        "builder": builder.name,
        "kind": "container",
        "toolchain": f"{builder.definition.toolchain.name} {builder.version(site)}",
        "image": pinned[1] if pinned else "",
        "definition": builder.identity,
        "fetch": [list(command) for command in builder.definition.fetch.commands] if builder.definition.fetch else [],
        "commands": [list(command) for command in compiling.commands],
        "output": builder.definition.compile.output,
        "environment": dict(sorted(compiling.environment.items())),
        "tidy": tidy,
    }


def _filled(commands: tuple[Command, ...], texts: Mapping[str, str]) -> tuple[Command, ...]:
    return tuple(tuple(fill_text(word, texts).strip() for word in command) for command in commands)
