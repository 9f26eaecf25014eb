"""Publish plugins beside the shell pipeline, on the same machine in the same run; print medians and ratios.

`make bench`, or `python benchmarks/publish.py [--rounds N] [--quick]`. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.figures import Readings, render_table, sum_by_name
from benchmarks.stage import BCRYPT_COST, RunTimes, Stage, open_stage
from tests.machine.registries import Kind, RunningRegistry

KINDS: dict[Kind, str] = {"open": "open registry", "basic": f"htpasswd, bcrypt cost {BCRYPT_COST}"}
FLOWS = {"flow a plugin": True, "one flow for all": False}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="readings of everything, interleaved (default: 3)")
    parser.add_argument("--plugins", type=int, default=12, help="plugins in the batch (default: 12)")
    parser.add_argument("--quick", action="store_true", help="one round of 4 plugins with a password: below 3 minutes")
    asked = parser.parse_args(arguments)
    rounds, count, at_once = (1, 4, (2,)) if asked.quick else (asked.rounds, asked.plugins, (1, 2, 3))
    kinds: tuple[Kind, ...] = ("basic",) if asked.quick else ("open", "basic")
    readings = Readings()
    say(describe_machine())
    with open_stage(count) as (stage, starts):
        readings.add_all("Prefect server starts", starts)
        prepare(stage)
        measure_starts(stage, readings)
        for number in range(1, rounds + 1):
            for kind in kinds:
                say(f"round {number} of {rounds}, {KINDS[kind]}, load {os.getloadavg()[0]:.1f}")
                measure_one(stage, kind, readings)
                measure_many(stage, kind, at_once, readings)
    say(render_table(("reading", "median s", "raw s"), readings.rows()))
    for kind in kinds:
        say(render_table(("ratio", KINDS[kind]), list(ratios(readings, kind))))
    return 0


def say(text: str) -> None:
    """Print a paragraph at once."""
    print(f"{text}\n", flush=True)


def describe_machine() -> str:
    """Return what the numbers depend on, the load of this moment among it."""
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{os.cpu_count()} processors, load {loads} at the start; {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, Prefect {version('prefect')}"
    )


def prepare(stage: Stage) -> None:
    """Publish once outside every reading: the builder's image is made, files are in the system's cache."""
    begun = time.monotonic()
    publish(stage, stage.registries["open"], stage.plugins.names[0])
    say(f"prepared in {time.monotonic() - begun:.0f} s (the builder's image is made once for a machine)")


def measure_starts(stage: Stage, readings: Readings) -> None:
    """Measure what precedes a run: the interpreter, imports, an ephemeral server; nothing is built or pushed."""
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "import flows.publish_plugin"], env=dict(stage.command_line.environment), check=True
    )
    readings.add("interpreter and imports", time.monotonic() - begun)
    name, registry = stage.plugins.names[0], stage.registries["open"]
    readings.add("unchanged plugin, running server: whole command", publish(stage, registry, name))
    home = {"PREFECT_API_URL": "", "PREFECT_HOME": str(stage.folder / "ephemeral")}
    for database in ("fresh", "known"):
        seconds = publish(stage, registry, name, **home)
        readings.add(f"unchanged plugin, ephemeral server, {database} database: whole command", seconds)


def publish(stage: Stage, registry: RunningRegistry, name: str, **settings: str) -> float:
    """Publish one plugin by the command line; return the seconds of the whole command."""
    command = stage.command_line.with_settings(**settings)
    asked = command.publish_arguments(
        stage.plugins.folder, f"{name}={stage.plugins.version}", f"{registry.host}/pluginyard"
    )
    outcome = command.run(*asked)
    if outcome.exit_code:
        raise RuntimeError(outcome.stderr[-3000:])
    return outcome.seconds


def measure_one(stage: Stage, kind: Kind, readings: Readings) -> None:
    """Measure one plugin: by the shell, then by us with nothing cached, with a changed source, and unchanged."""
    registry, name = stage.registries[kind], stage.plugins.names[0]
    version = stage.change()
    readings.add_all(f"{kind}: one by the shell", stage.shell.publish(registry, name, version))
    for state in ("cold", "warm", "unchanged"):
        if state == "cold":
            stage.forget_builds()
        if state == "warm":
            stage.change()
        seconds = publish(stage, registry, name)
        note_run(f"{kind}: one {state}", seconds, stage.times_of(name), readings)


def note_run(prefix: str, command: float, times: RunTimes, readings: Readings) -> None:
    """Note one run: the whole command, the run, and the run without the compiler."""
    readings.add_all(
        prefix,
        {
            "whole command": command,
            "inside the run": times.run,
            "go build": times.compiler,
            "run beyond the compiler": times.beyond_compiler,
            **{f"task {name}": seconds for name, seconds in times.tasks.items()},
        },
    )


def measure_many(stage: Stage, kind: Kind, at_once: Sequence[int], readings: Readings) -> None:
    """Measure all plugins: by the shell one after the other, by us in one process, changed and unchanged."""
    registry, names = stage.registries[kind], stage.plugins.names
    version = stage.change()
    readings.add_all(
        f"{kind}: all by the shell", sum_by_name([stage.shell.publish(registry, name, version) for name in names])
    )
    for number in at_once:
        for flow, each in FLOWS.items():
            stage.change()
            seconds = publish_all(stage, registry, number, each=each)
            readings.add(f"{kind}: all changed, {flow}, {number} at once", seconds)
    for flow, each in FLOWS.items():
        readings.add(f"{kind}: all unchanged, {flow}, 2 at once", publish_all(stage, registry, 2, each=each))


def publish_all(stage: Stage, registry: RunningRegistry, at_once: int, *, each: bool) -> float:
    """Publish every plugin from one process, by a flow for `each` or one for all; return the seconds after imports."""
    requests = [stage.request(registry, name) for name in (stage.plugins.names if each else ("",))]
    return run_one_process(stage, str(at_once), requests)["total"]


def run_one_process(stage: Stage, at_once: str, requests: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Run `benchmarks.one_process` as the stage's user; return what it measured of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.one_process", at_once, *map(json.dumps, requests)],
        env=dict(stage.command_line.environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def ratios(readings: Readings, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield what the project promises, as ratios: above 1 is to our credit."""
    shell = f"{kind}: one by the shell"
    beyond = readings.median(f"{shell}: total") - readings.median(f"{shell}: go build")
    for state in ("cold", "warm"):
        ours = readings.median(f"{kind}: one {state}: run beyond the compiler")
        yield f"one {state} plugin beyond the compiler: shell {beyond:.2f} s / run {ours:.2f} s", f"{beyond / ours:.2f}"
        ratio = readings.ratio(f"{shell}: total", f"{kind}: one {state}: whole command")
        yield f"one {state} plugin, shell / whole command with interpreter", f"{ratio:.2f}"
    for name in readings.seconds:
        if name.startswith(f"{kind}: all ") and name.endswith("at once"):
            ratio = readings.ratio(f"{kind}: all by the shell: total", name)
            yield f"shell in sequence / {name.removeprefix(f'{kind}: ')}", f"{ratio:.1f}"


if __name__ == "__main__":
    sys.exit(main())
