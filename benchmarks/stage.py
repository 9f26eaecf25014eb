"""Everything real that the benchmark runs on: engine, builder images, registries, a Prefect server, plugins."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.sample_plugins import ALONE, SamplePlugins, copy_work_tree, make_plugins
from benchmarks.shell_pipeline import ShellPipeline, prepare_shell_pipeline
from tasks.doors.builders import shipped_builders_folder
from tests.machine.command_line import CommandLine, make_command_line
from tests.machine.engine import EngineHandle, status, stop
from tests.machine.engines import NAMED_ENGINE, engine_root, ensure_engine
from tests.machine.prefect_server import PrefectServer, run_prefect_server
from tests.machine.registries import Kind, RunningRegistry, run_registry

# bcrypt's usual cost; a registry pays it for every request that carries the password.
BCRYPT_COST = 10
BCRYPT_HASH = "$2b$10$bjkYjZlZmWWXI1.ZQ4b1o.rLUr1rZTcoNmOb/E.Hck7Y1IRLR/dlq"
_COMPILE = "[go, build,"
# The compiler's own time, told by a line of the build's log; the builder is the shipped one in all else.
_TIMED = 'begun=$(date +%s%N); "$@"; code=$?; echo "compiled in $((($(date +%s%N)-begun)/1000)) us"; exit $code\n'


@dataclass(frozen=True)
class RunTimes:
    """Hold what Prefect's history says of one run, in seconds."""

    run: float
    """From the run's creation to its end."""
    compiler: float
    """What `go build` itself took; 0 where nothing was compiled."""
    tasks: Mapping[str, float]

    @property
    def beyond_compiler(self) -> float:
        """Return the run's seconds without the compiler's."""
        return self.run - self.compiler


@dataclass(frozen=True)
class Stage:
    """Hold what runs."""

    folder: Path
    engine: EngineHandle
    registries: Mapping[Kind, RunningRegistry]
    server: PrefectServer
    command_line: CommandLine
    plugins: SamplePlugins
    shell: ShellPipeline
    namespace: str = "pluginyard"
    """Where in each registry we publish."""

    def change(self) -> str:
        """Change every plugin, for the shell pipeline too; return the new version."""
        version = self.plugins.change()
        copy_work_tree(self.plugins, self.shell.work_tree)
        return version

    def request(self, registry: RunningRegistry, name: str) -> dict[str, Any]:
        """Return the request to publish a plugin as it now is; without a name, of the whole repository."""
        asked = {
            "repository": str(self.plugins.folder),
            "registries": [f"{registry.host}/{self.namespace}"],
            "plain_http": True,
        }
        return {**asked, "plugin": name, "version": self.plugins.version} if name else asked

    def with_settings(self, **settings: str) -> Stage:
        """Return the stage of a user with more environment."""
        return replace(self, command_line=self.command_line.with_settings(**settings))

    def forget_builds(self) -> None:
        """Remove what earlier runs on this machine left in the cache."""
        shutil.rmtree(self.command_line.cache, ignore_errors=True)

    def times_of(self, name: str) -> RunTimes:
        """Return the times of the newest run that published the plugin `name`."""
        run = self.server.newest_run(f"publish {name} {self.plugins.version}")
        tasks = self.server.task_runs(run["id"])
        lines = "\n".join(entry["message"] for entry in self.server.read("logs", logs=_of_run(run["id"])))
        found = re.search(r"compiled in (\d+) us", lines)
        return RunTimes(
            _seconds(run["created"], run["end_time"]),
            int(found[1]) / 1e6 if found else 0.0,
            {task["name"].partition(" ")[0]: _seconds(task["start_time"], task["end_time"]) for task in tasks},
        )


def _of_run(run_id: str) -> dict[str, Any]:
    return {"flow_run_id": {"any_": [run_id]}}


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


@contextlib.contextmanager
def open_stage(count: int, examples: tuple[str, ...] = ALONE) -> Iterator[tuple[Stage, dict[str, float]]]:
    """Start everything, for `count` plugins like `examples`.

    Yield it with the seconds that starting a Prefect server took. What was started is ended; an engine that ran
    before goes on, and images are kept for the next time.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pluginyard-benchmark-")))
        engine = stack.enter_context(_engine())
        kinds: tuple[Kind, ...] = ("open", "basic")
        registries = {kind: stack.enter_context(_registry(kind, folder / kind)) for kind in kinds}
        server, seconds = _start_server_twice(folder / "server", stack)
        plugins = make_plugins(folder / "plugins", count, examples)
        shell = prepare_shell_pipeline(engine, folder / "work-tree")
        stage = Stage(
            folder, engine, registries, server, _command_line(folder, server, engine, registries), plugins, shell
        )
        stage.change()
        yield stage, seconds


@contextlib.contextmanager
def _engine() -> Iterator[EngineHandle]:
    was_there = bool(os.environ.get(NAMED_ENGINE)) or bool(status(engine_root())["answers"])
    try:
        yield ensure_engine()
    finally:
        if not was_there:
            stop(engine_root())


@contextlib.contextmanager
def _registry(kind: Kind, folder: Path) -> Iterator[RunningRegistry]:
    folder.mkdir()
    with run_registry(kind, folder, password_hash=BCRYPT_HASH) as registry:
        yield registry


def _start_server_twice(home: Path, stack: contextlib.ExitStack) -> tuple[PrefectServer, dict[str, float]]:
    """Start a server on a fresh database, end it, start it again on the same one, and leave it running."""
    home.mkdir()
    begun = time.monotonic()
    with run_prefect_server(home):
        fresh = time.monotonic() - begun
    begun = time.monotonic()
    server = stack.enter_context(run_prefect_server(home))
    return server, {"fresh database": fresh, "known database": time.monotonic() - begun}


def _command_line(
    folder: Path, server: PrefectServer, engine: EngineHandle, registries: Mapping[Kind, RunningRegistry]
) -> CommandLine:
    """Return the command line of a user who has the shipped Go builder, with the compiler's time told."""
    builders = folder / "builders"
    shutil.copytree(shipped_builders_folder() / "go", builders / "go")
    definition = builders / "go" / "builder.yaml"
    text = definition.read_text()
    assert text.count(_COMPILE) == 1
    definition.write_text(text.replace(_COMPILE, '[sh, "{work}/builder/timed.sh", go, build,'))
    (builders / "go" / "timed.sh").write_text(_TIMED)
    command_line = make_command_line(folder / "user", server, engine).with_credentials(registries["basic"])
    return command_line.with_settings(PLUGINYARD_BUILDERS=str(builders))
