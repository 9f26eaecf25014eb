"""The command line as a user has it: another process, another home, nothing of this one's settings."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.machine.engine import EngineHandle
from tests.machine.prefect_server import PrefectServer
from tests.machine.processes import heed_interrupts
from tests.machine.registries import RunningRegistry

PROJECT = Path(__file__).parents[2]
SECONDS = 400
# What this machine needs to reach the world; no setting and no credential of ours is among them.
_KEPT = ("PATH", "LANG", "GOPROXY", "GOSUMDB", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Outcome:
    """Hold what a command left behind; `seconds` is its whole life."""

    exit_code: int
    stdout: str
    stderr: str
    pid: int
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        """Return the object on standard output."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    @property
    def error(self) -> dict[str, Any]:
        """Return the error on standard output; it is told on standard error too, and there is no traceback."""
        found: dict[str, Any] = self.json["error"]
        assert f"{found['message']}" in self.stderr
        assert "Traceback" not in self.stderr, self.stderr
        return found


@dataclass
class Running:
    """Hold a command that runs: its output is read as it comes."""

    process: subprocess.Popen[str]
    started: float = field(default_factory=time.monotonic)
    _lines: dict[str, list[str]] = field(default_factory=lambda: {"stdout": [], "stderr": []})
    _readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self._lines:
            reader = threading.Thread(target=self._read, args=(name,), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _read(self, name: str) -> None:
        self._lines[name].extend(getattr(self.process, name))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    def await_that(self, condition: Callable[[], Any], what: str, seconds: float = 120) -> None:
        """Wait until `condition` holds while the command runs; fail where the command ends before."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert not self.is_over, f"over before {what}: {self.end()}"
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        self.process.send_signal(number)

    def end(self, seconds: float = SECONDS) -> Outcome:
        """Wait for the command's end and return what it left."""
        self.process.wait(timeout=seconds)
        for reader in self._readers:
            reader.join(10)
        texts = {name: "".join(lines) for name, lines in self._lines.items()}
        return Outcome(
            self.process.returncode, texts["stdout"], texts["stderr"], self.pid, time.monotonic() - self.started
        )


@dataclass(frozen=True)
class CommandLine:
    """Run `python -m flows` in `folder` with this environment and no other."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def cache(self) -> Path:
        """Return the cache of its runs."""
        return Path(self.environment["PLUGINYARD_CACHE"])

    def with_settings(self, **settings: str) -> CommandLine:
        """Return the command line with more environment; an empty value takes a variable away."""
        together = {**self.environment, **settings}
        return replace(self, environment={name: text for name, text in together.items() if text})

    def with_credentials(self, *registries: RunningRegistry) -> CommandLine:
        """Return the command line with user and password for each registry, by its host."""
        settings: dict[str, str] = {}
        for registry in registries:
            suffix = registry.host.replace(".", "_").replace(":", "_")
            settings |= {
                f"REGISTRY_USERNAME__{suffix}": registry.username,
                f"REGISTRY_PASSWORD__{suffix}": registry.password,
            }
        return self.with_settings(**settings)

    def start(self, *arguments: str) -> Running:
        """Start a command."""
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        return Running(process)

    def run(self, *arguments: str) -> Outcome:
        """Run a command to its end."""
        return self.start(*arguments).end()

    def publish_arguments(
        self, repository: Path | str, release: str, *destinations: str, plain: bool = True
    ) -> list[str]:
        """Return the arguments that publish `release` (a tag, or NAME=VERSION) to the destinations."""
        name, _, version = release.partition("=")
        asked = ["--plugin", name, "--version", version] if version else ["--tag", release]
        places = [part for place in destinations for part in ("--registry", place)]
        return [
            *("publish", "--repository", str(repository), *asked, *places, "--output", "json"),
            *(["--plain-http"] if plain else []),
        ]

    def publish(self, repository: Path | str, release: str, *destinations: str, more: tuple[str, ...] = ()) -> Outcome:
        """Publish to registries that speak plain HTTP."""
        return self.run(*self.publish_arguments(repository, release, *destinations), *more)

    def published(
        self, repository: Path | str, release: str, *destinations: str, more: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Publish, and return what was printed; fail where that was refused."""
        outcome = self.publish(repository, release, *destinations, more=more)
        assert outcome.exit_code == 0, outcome.stderr
        return outcome.json


def make_command_line(folder: Path, server: PrefectServer, engine: EngineHandle) -> CommandLine:
    """Return the command line of a user who has `folder`, with its own home, cache and Prefect settings."""
    home = folder / "home"
    home.mkdir(parents=True)
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "PYTHONPATH": str(PROJECT),
        "HOME": str(home),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": server.url,
        "DO_NOT_TRACK": "1",
        "PLUGINYARD_CACHE": str(folder / "cache"),
        "DOCKER_HOST": engine.address,
    }
    if engine.base_image:
        environment["PLUGINYARD_BASE_IMAGE"] = engine.base_image
    return CommandLine(folder, environment)


@pytest.fixture(scope="session")
def shared_command_line(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: PrefectServer, engine_handle: EngineHandle
) -> CommandLine:
    """Give the command line of one user for the session: what was compiled once is not compiled again."""
    return make_command_line(tmp_path_factory.mktemp("user"), prefect_server, engine_handle)


@pytest.fixture
def command_line(tmp_path: Path, prefect_server: PrefectServer, engine_handle: EngineHandle) -> CommandLine:
    """Give the command line of a new user: nothing is compiled yet."""
    return make_command_line(tmp_path / "user", prefect_server, engine_handle)


@pytest.fixture
def commands_to_end() -> Iterator[list[Running]]:
    """End what a test started, however the test ended."""
    started: list[Running] = []
    yield started
    for running in started:
        with contextlib.suppress(ProcessLookupError):
            running.process.kill()
        running.process.wait(timeout=30)
