"""Publish a whole repository: what unchanged plugins cost as there are more of them, and twelve that all changed.

`make bench-repository`, or `python benchmarks/repository.py [--rounds N] [--quick]`. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.cold_builders import cold_builders, on_base_with_go
from benchmarks.figures import Readings, render_table, sum_by_name
from benchmarks.publish import describe_machine, prepare, publish_all, run_one_process, say
from benchmarks.sample_plugins import MIXED, make_plugins
from benchmarks.seeding import publish_without_building
from benchmarks.stage import Stage, open_stage
from tests.machine.registries import RunningRegistry

SIZES = (10, 60, 240, 1000)
SHELL = "shell in sequence"
SHELL_COLD = "shell in sequence, its image made first"
COLD, EMPTY, WARM = "the run makes the builder's image", "our cache empty", "warm"
COLD_ON_GO = f"{COLD} on one that has Go"


@dataclass
class Figures:
    """Hold the readings of each unit."""

    seconds: Readings = field(default_factory=Readings)
    processor: Readings = field(default_factory=Readings)
    memory: Readings = field(default_factory=Readings)
    requests: Readings = field(default_factory=Readings)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="readings of everything, interleaved (default: 3)")
    parser.add_argument("--plugins", type=int, default=12, help="plugins that all changed (default: 12)")
    parser.add_argument("--quick", action="store_true", help="one round, 4 changed plugins, up to 240 unchanged ones")
    asked = parser.parse_args(arguments)
    rounds, changed, sizes = (1, 4, SIZES[:-1]) if asked.quick else (asked.rounds, asked.plugins, SIZES)
    at_once = (2,) if asked.quick else (2, 3)
    figures = Figures()
    say(describe_machine())
    with open_stage(changed, MIXED) as (stage, _):
        prepare(stage)
        registry = stage.registries["open"]
        repositories = {size: have_published(stage, registry, size) for size in sizes}
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}, load {os.getloadavg()[0]:.1f}")
            for size, each in repositories.items():
                measure_unchanged(each, registry, size, figures)
            measure_changed(stage, registry, at_once, figures.seconds)
    print_all(figures, sizes)
    return 0


def have_published(stage: Stage, registry: RunningRegistry, size: int) -> Stage:
    """Make a repository of `size` plugins that are all published; return the stage with it."""
    begun = time.monotonic()
    plugins = make_plugins(stage.folder / f"repository-{size}", size, MIXED)
    plugins.change()
    own = replace(stage, plugins=plugins, namespace=f"of-{size}")
    publish_without_building(own, registry)
    say(f"{size} plugins were published in {time.monotonic() - begun:.0f} s, without building")
    return own


def measure_unchanged(stage: Stage, registry: RunningRegistry, size: int, figures: Figures) -> None:
    """Measure one plan and one run of a repository in which everything is published, each in a process of its own."""
    for what, mode in (("plan", "plan"), ("publish-plugins", "2")):
        name, before = f"{size} unchanged: {what}", count_requests(registry)
        found = run_one_process(stage, mode, [stage.request(registry, "")])
        figures.seconds.add(name, found["total"])
        figures.processor.add(name, found["processor"])
        figures.memory.add(name, found["MiB"])
        figures.requests.add(name, count_requests(registry) - before)
    command = ("plan", "--repository", str(stage.plugins.folder), "--plugin", stage.plugins.names[-1])
    outcome = stage.command_line.run(*command, "--registry", f"{registry.host}/{stage.namespace}")
    if outcome.exit_code:
        raise RuntimeError(outcome.stderr[-3000:])
    figures.seconds.add(f"one of {size}: whole command `pluginyard plan`", outcome.seconds)


def count_requests(registry: RunningRegistry) -> int:
    """Return how many requests the registry has answered, by its log."""
    return (registry.folder / "registry.log").read_text().count(' HTTP/1.1" ')


def measure_changed(stage: Stage, registry: RunningRegistry, at_once: Sequence[int], seconds: Readings) -> None:
    """Measure plugins that all changed: by the shell one after the other, by one run of ours, cold and warm."""
    version, names = stage.change(), stage.plugins.names
    done = sum_by_name([stage.shell.publish(registry, name, version) for name in names])
    seconds.add_all(SHELL, done)
    made = stage.shell.make_image_anew()
    seconds.add(f"{SHELL}: its builder's image", made)
    seconds.add(SHELL_COLD, made + done["total"])
    for number in at_once:
        with cold_builders(stage) as cold:
            for state, own in ((COLD, cold), (COLD_ON_GO, on_base_with_go(cold)), (EMPTY, stage), (WARM, stage)):
                stage.change()
                if state != WARM:
                    stage.forget_builds()
                seconds.add(f"changed, {number} at once, {state}", publish_all(own, registry, number, each=False))


def print_all(figures: Figures, sizes: Sequence[int]) -> None:
    """Print the raw readings, then what follows from them."""
    say(render_table(("reading", "median s", "raw s"), figures.seconds.rows()))
    say(render_table(("of the processor", "median s", "raw s"), figures.processor.rows()))
    say(render_table(("most memory", "median MiB", "raw MiB"), figures.memory.rows()))
    heads = ("s", "ms each", "of a processor each", "each further one", "most MiB", "registry requests")
    for what in ("publish-plugins", "plan"):
        say(render_table((f"{what}, unchanged", *heads), list(growth(figures, sizes, what))))
    say(render_table(("plugins that all changed", "ratio"), list(ratios(figures.seconds))))


def growth(figures: Figures, sizes: Sequence[int], what: str) -> Iterator[tuple[str, ...]]:
    """Yield a row for each size: what a run costs, what each plugin, and each one beyond the size before."""
    before: tuple[int, float] | None = None
    for size in sizes:
        name = f"{size} unchanged: {what}"
        seconds, processor = figures.seconds.median(name), figures.processor.median(name)
        further = f"{(processor - before[1]) / (size - before[0]) * 1000:.1f} ms" if before else ""
        yield (
            str(size),
            f"{seconds:.2f}",
            f"{seconds / size * 1000:.1f}",
            f"{processor / size * 1000:.1f} ms",
            further,
            f"{figures.memory.median(name):.0f}",
            f"{figures.requests.median(name):.0f}",
        )
        before = size, processor


def ratios(seconds: Readings) -> Iterator[tuple[str, str]]:
    """Yield how many times faster one run of ours is than the shell pipeline in sequence."""
    for name in seconds.seconds:
        if name.startswith("changed, "):
            ours = name.removeprefix("changed, ")
            yield f"{SHELL} / {ours}", f"{seconds.ratio(f'{SHELL}: total', name):.1f}"
            if ours.endswith(COLD):
                yield f"{SHELL_COLD} / {ours}", f"{seconds.ratio(SHELL_COLD, name):.1f}"


if __name__ == "__main__":
    sys.exit(main())
