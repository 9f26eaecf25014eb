"""A plugin's own script, `.prebuild` or `prepare.sh`: whether it runs, where, and the image layer it may become.

A script that installs or downloads cannot run where the module is compiled, which has no network. Where the site allows
it, it runs as root with network and without any password, in a layer of the builder's image that is kept by the hash of
script and image. Nothing else of the plugin is there, and only the step that compiles runs in that image; the step that
fetches, which may have passwords, is given the files it left and runs none of them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pluginyard.errors import ConfigurationError
from pluginyard.settings import Site

PREPARED = "/opt/pluginyard/prepared"
"""Folder of the image in which the script ran: what it left there is put into the plugin's folder."""
CA_NAME = "ca-bundle.pem"
SCRIPTS = (".prebuild", "prepare.sh")
# The classic workflow ran it before compiling, so without it the module would be another one; prepare.sh is of today's
# workflow, and most plugins that have one build without it.
_NEVER_LEFT_OUT = ".prebuild"
_VARIABLE = "PLUGINYARD_ALLOW_PREBUILD"
_COMMENT = re.compile(rb"^\s*#.*$", re.MULTILINE)
_TAKES_NETWORK = re.compile(
    rb"\b(?:apt-get|apt|aptitude|apk|dnf|microdnf|yum|zypper|curl|wget|rustup|git\s+(?:clone|fetch|submodule)|"
    rb"pip3?\s+install|npm\s+(?:i|install|ci)|npx|go\s+(?:get|install|mod\s+download)|cargo\s+(?:install|fetch))\b"
)
_DOCKERFILE = """\
FROM {image}
USER 0
{arguments}COPY . {prepared}-by/
WORKDIR {prepared}
RUN set -eu; ca={prepared}-by/{ca_name}; \\
    [ ! -e "$ca" ] || export SSL_CERT_FILE="$ca" CURL_CA_BUNDLE="$ca" GIT_SSL_CAINFO="$ca"; \\
    cp {prepared}-by/{name} .; \\
    DEBIAN_FRONTEND=noninteractive timeout {seconds} {command} </dev/null; \\
    rm -rf ./{name} {prepared}-by; chmod -R a+rX .
"""


@dataclass(frozen=True)
class PluginScript:
    """Hold a script of the plugin's folder."""

    folder: str
    name: str
    content: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Return its path in the repository."""
        return f"{self.folder}/{self.name}"

    @property
    def takes_network(self) -> bool:
        """Return whether it installs or downloads something, judged by the programs it names."""
        return bool(_TAKES_NETWORK.search(_COMMENT.sub(b"", self.content)))

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command that runs it in its folder: by bash where its first line names that."""
        first = self.content.partition(b"\n")[0]
        return ("bash" if first.startswith(b"#!") and b"bash" in first else "sh", f"./{self.name}")

    @property
    def sealed_command(self) -> tuple[str, ...]:
        """Return the command that runs it before the compiler, which is part of the module's identity."""
        return ("sh", f"./{self.name}") if self.name == _NEVER_LEFT_OUT else self.command

    def image_files(self, image: str, site: Site) -> Mapping[str, bytes]:
        """Return the folder of an image on top of `image` in which the script has run; CA_NAME may be added."""
        dockerfile = _DOCKERFILE.format(
            image=image,
            arguments="".join(f"ARG {name}\n" for name in sorted(site.fetch_environment)),
            prepared=PREPARED,
            ca_name=CA_NAME,
            name=self.name,
            seconds=site.seconds,
            command=shlex.join(self.command),
        )
        return {"Dockerfile": dockerfile.encode(), self.name: self.content}


@dataclass(frozen=True)
class Preparation:
    """Say where a plugin's script runs: before the compiler, in a layer of the builder's image, or not at all."""

    script: PluginScript
    place: Literal["nowhere", "compile", "image"]

    @property
    def lacks_network(self) -> bool:
        """Return whether the script runs where it has no network although it takes one."""
        return self.place == "compile" and self.script.takes_network

    @property
    def note(self) -> str:
        """Return what a report says of a script that does not run, empty of one that does."""
        name = self.script.path
        return f"{name} was not run: {self._permission}" if self.place == "nowhere" else ""

    @property
    def hint(self) -> str:
        """Return what to do where a file is missing that the script may make, or where the step it runs in fails."""
        name = self.script.name
        if self.place == "nowhere":
            return f"{name} was not run and may make it: {self._permission}"
        if self.lacks_network:
            return f"{name} has no network there: {_VARIABLE}=network runs it in a layer of the builder's image"
        return f"look at {name}, which ran before"

    @property
    def _permission(self) -> str:
        return f"review it, then set {_VARIABLE}={'network' if self.script.takes_network else 'true'}"


def plan_preparation(script: PluginScript, site: Site) -> Preparation:
    """Plan where `script` runs; raise ConfigurationError where the site must allow it first."""
    if not site.allow_prebuild:
        if script.name == _NEVER_LEFT_OUT:
            raise _refusal(script)
        return Preparation(script, "nowhere")
    if script.takes_network and site.allow_prebuild == "network":
        return Preparation(script, "image")
    if script.takes_network and script.name != _NEVER_LEFT_OUT:
        return Preparation(script, "nowhere")
    return Preparation(script, "compile")


def _refusal(script: PluginScript) -> ConfigurationError:
    how = (
        "network: it runs as root with network, in a layer of the builder's image"
        if script.takes_network
        else "true: it runs where the module is compiled"
    )
    return ConfigurationError(
        f"the plugin wants to run {script.name}, and this site does not allow it",
        subject=script.path,
        remedy=f"review it, then set {_VARIABLE}={how}",
    )


def host_refusal(script: PluginScript) -> ConfigurationError:
    """Return the error for a script that would run outside a container."""
    return ConfigurationError(
        f"the plugin's {script.name} runs in a container only, and this machine's own toolchain would build it",
        subject=script.path,
        remedy=f"start Docker, or name its address in DOCKER_HOST; else commit what {script.name} makes",
    )
