"""A private container engine: `python -m tests.machine.engine start|stop|status [--root DIR] [--remove]`.

It has its own data folder, socket, containerd namespace, bridge and address range, and leaves the
firewall chains of any other engine alone. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.machine import bridges
from tests.machine.base_images import BASE_IMAGE, ensure_base_image, request, unmount_below
from tests.machine.debian import MissingPackageError, ensure_debian_package
from tests.machine.turns import cache_folder, one_at_a_time

START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class EngineHandle:
    """Name a running engine, and the image the builders start from on it."""

    address: str
    base_image: str


@dataclass(frozen=True)
class EngineFolders:
    """Know where one private engine keeps everything."""

    root: Path

    @property
    def key(self) -> str:
        """Return six hex digits of the root: they name the bridge and the runtime folder."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:6]

    @property
    def runtime(self) -> Path:
        """Return the folder of the sockets: short, for a socket's path has at most 107 bytes."""
        return Path("/run") / f"pluginyard-{self.key}"

    @property
    def socket(self) -> Path:
        """Return the socket the engine answers on."""
        return self.runtime / "docker.sock"

    @property
    def address(self) -> str:
        """Return the engine's address as DOCKER_HOST wants it."""
        return f"unix://{self.socket}"

    @property
    def bridge(self) -> bridges.Bridge:
        """Return the network of this engine alone."""
        return bridges.Bridge(f"pyard-{self.key}", int(self.key, 16) % 256)

    @property
    def pid_file(self) -> Path:
        """Return the file that holds the daemon's process id."""
        return self.runtime / "docker.pid"


def default_root() -> Path:
    """Return the engine's usual data folder."""
    return cache_folder() / "engine"


def start(root: Path) -> EngineHandle:
    """Start the engine of `root` if it does not answer yet, import the base image, and return its handle."""
    folders = EngineFolders(root.resolve())
    with one_at_a_time(f"engine-{folders.key}"):
        if not answers(folders.socket):
            _start_daemon(folders)
        ensure_base_image(folders.socket, folders.root)
    return EngineHandle(folders.address, BASE_IMAGE)


def stop(root: Path, *, remove: bool = False) -> None:
    """End the daemon that `start` started, take its network away; with `remove` its data too."""
    folders = EngineFolders(root.resolve())
    for pid_file in (folders.pid_file, folders.runtime / "exec" / "containerd" / "containerd.pid"):
        _end(pid_file, str(folders.runtime))
    folders.bridge.remove()
    unmount_below(folders.runtime)
    shutil.rmtree(folders.runtime, ignore_errors=True)
    if remove:
        unmount_below(folders.root)
        shutil.rmtree(folders.root, ignore_errors=True)


def answers(path: Path) -> bool:
    """Tell whether an engine answers on the socket at `path`."""
    if not path.exists():
        return False
    try:
        return request(path, "GET", "/_ping")[0] == 200
    except OSError:
        return False


def _start_daemon(folders: EngineFolders) -> None:
    dockerd = ensure_debian_package("dockerd", "docker.io")
    for binary, package in (("iptables", "iptables"), ("ip", "iproute2")):
        ensure_debian_package(binary, package)
    stop(folders.root)
    for folder in (folders.root, folders.runtime):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    folders.bridge.create()
    (folders.root / "daemon.json").write_text("{}")
    with (folders.root / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(
            [dockerd, *_daemon_options(folders)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _await(folders, daemon)


def _daemon_options(folders: EngineFolders) -> list[str]:
    # Its own chains would be those of every engine here: the bridge brings its few rules itself.
    firewall = ["--iptables=false", "--ip-masq=false"]
    spaces = [f"--containerd-namespace=pluginyard-{folders.key}"]
    spaces += [f"--containerd-plugins-namespace=pluginyard-plugins-{folders.key}"]
    return [
        f"--config-file={folders.root / 'daemon.json'}",
        f"--data-root={folders.root / 'data'}",
        f"--exec-root={folders.runtime / 'exec'}",
        f"--pidfile={folders.pid_file}",
        f"--host={folders.address}",
        f"--bridge={folders.bridge.name}",
        *firewall,
        *spaces,
    ]


def _await(folders: EngineFolders, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        if answers(folders.socket):
            return
        time.sleep(0.1)
    daemon.terminate()
    tail = (folders.root / "dockerd.log").read_text(errors="replace")[-1500:]
    stop(folders.root)
    raise RuntimeError(f"the private engine did not start:\n{tail}")


def _end(pid_file: Path, mark: str) -> None:
    """End the process named in `pid_file`, but only one whose command line carries `mark`."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + STOP_SECONDS
    sent = False
    while mark in _command_line(pid) and time.monotonic() < deadline:
        if not sent:
            os.kill(pid, 15)
            sent = True
        time.sleep(0.1)
    if mark in _command_line(pid):
        os.kill(pid, 9)


def _command_line(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        return "" if ") Z " in status else Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def status(root: Path) -> dict[str, object]:
    """Return whether the engine of `root` answers, and where."""
    folders = EngineFolders(root.resolve())
    return {"answers": answers(folders.socket), "address": folders.address, "base_image": BASE_IMAGE}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.machine.engine", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--root", type=Path, default=default_root())
    parser.add_argument("--remove", action="store_true", help="with stop: remove its images and volumes too")
    asked = parser.parse_args(arguments)
    if asked.command == "stop":
        stop(asked.root, remove=asked.remove)
        return 0
    if asked.command == "status":
        found = status(asked.root)
        print(json.dumps(found))
        return 0 if found["answers"] else 1
    try:
        handle = start(asked.root)
    except (MissingPackageError, RuntimeError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"export DOCKER_HOST={handle.address}")
    print(f"export PLUGINYARD_BASE_IMAGE={handle.base_image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
