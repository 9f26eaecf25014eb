"""Build one module in containers: one that fetches with network, one that compiles without."""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

from pluginyard.builds import (
    CA_FILE,
    CA_VARIABLES,
    CACHE,
    FETCHED,
    MEMORY_CONTEXT,
    NETRC_FILE,
    RUN_LABEL,
    SHARED_LABEL,
    WORK,
    BuildStep,
    BuiltModule,
    Recipe,
    StepName,
    container_config,
    explain_failure,
    time_limit_error,
    volume_mount,
)
from tasks.doors.containers.engines import Engine, engine_errors
from tasks.doors.containers.images import BuilderImage
from tasks.doors.containers.outputs import OUTPUT_VARIABLE, TELL_OUTPUT, ModuleFile
from tasks.doors.containers.running import GRACE_SECONDS, remove_quietly, run_step
from tasks.doors.containers.site_files import pack_site_files
from tasks.doors.containers.streams import pack_work

OWN_END_SECONDS = 2 * GRACE_SECONDS
Log = Callable[[str], None]
Later = Callable[[Callable[[], object]], object]


def _at_once(chore: Callable[[], object]) -> object:
    return chore()


def build_in_container(
    engine: Engine,
    image: BuilderImage,
    recipe: Recipe,
    context: Callable[[], Path],
    target: Path,
    *,
    context_bytes: int,
    run_id: str,
    log: Log,
    later: Later = _at_once,
) -> BuiltModule:
    """Build `recipe` from the tar that `context` writes (about `context_bytes`) and leave the module at `target`.

    Nothing of the build stays on the engine, whatever happens; what a killed process leaves is
    marked with `run_id` for `sweep`. After success the removal is handed to `later`, for it takes as long
    as a small compilation. Raises BuildError with what the toolchain said, translated.
    """
    fed = _can_be_fed(engine, recipe, context_bytes)

    def pack() -> IO[bytes]:
        return pack_work(context(), recipe.builder.scripts)

    with (
        engine_errors(engine.address),
        Workplace(engine, image, recipe, run_id, later, fed=fed) as place,
        ThreadPoolExecutor(1, thread_name_prefix="pack") as beside,
    ):
        packed = beside.submit(pack)
        if fed:
            place.create("compile")
        else:
            _prepare(place, recipe, packed.result, log)
        with ModuleFile(recipe, target) as module:
            place.run("compile", log, module.feed, packed.result if fed else None)
            return module.keep()


def _prepare(place: Workplace, recipe: Recipe, packed: Callable[[], IO[bytes]], log: Log) -> None:
    """Create the container that compiles, on a volume with the source and what the fetch step brings."""
    first: StepName = "fetch" if recipe.fetch else "compile"
    place.create(first)
    with packed() as work:
        place.put(first, WORK, work)
    if recipe.fetch:
        place.put_site_files()
        place.run("fetch", log)
        place.create("compile")


def _can_be_fed(engine: Engine, recipe: Recipe, context_bytes: int) -> bool:
    """Tell whether one container does it all, its work in memory, handed over as a stream while it starts.

    It spares a volume, and unpacking into a container that does not run yet: 60 ms of 250 (benchmarks/README.md).
    Only of this machine, where the SDK's connection is a plain socket that can be written while it is read.
    """
    alone = recipe.fetch is None and recipe.cache == "private"
    return alone and engine.address.startswith("unix:") and context_bytes <= MEMORY_CONTEXT


class Workplace:
    """Own the volume and the containers of one build; leaving it removes them."""

    def __init__(
        self, engine: Engine, image: BuilderImage, recipe: Recipe, run_id: str, later: Later, *, fed: bool
    ) -> None:
        self._client, self._engine, self._later = engine.client, engine, later
        self._image, self._recipe, self._run_id, self._fed = image, recipe, run_id, fed
        self._volume = f"pluginyard-{uuid.uuid4().hex}"
        self._containers: list[str] = []

    def __enter__(self) -> Workplace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._later(self._remove_all)
        else:
            with contextlib.suppress(BaseException):  # the error that ended the build is the one to tell
                self._remove_all()

    def _remove_all(self) -> None:
        interrupt: BaseException | None = None
        for remove, name, options in self._leftovers():
            try:
                remove_quietly(remove, name, options)
            except BaseException as again:  # a second Ctrl-C must not leave the volume behind
                interrupt = again
        if interrupt is not None:
            raise interrupt

    def _leftovers(self) -> list[tuple[Callable[..., Any], str, dict[str, Any]]]:
        containers = [(self._client.remove_container, name, {"force": True, "v": True}) for name in self._containers]
        volumes = [] if self._fed else [(self._client.remove_volume, self._volume, {"force": True})]
        return [*containers, *volumes]

    def create(self, step: StepName) -> None:
        """Create the container of `step`; the first one creates the volume too."""
        name = self._name(step)
        self._containers.append(name)  # before the call: an interrupted one may have created it
        config = container_config(
            engine_cpus=self._engine.cpus,
            image=self._image.digest,
            script=self._script(step),
            environment=self._environment(step),
            limits=self._recipe.limits,
            network="default" if step == "fetch" else "none",
            mounts=() if self._fed else self._mounts(),
            fed=self._fed,
            run_id=self._run_id,
        )
        self._client.create_container_from_config(config, name)  # type: ignore[no-untyped-call]

    def put(self, step: StepName, path: str, archive: Any) -> None:
        """Unpack the tar `archive` into the container of `step` at `path`."""
        self._client.put_archive(self._name(step), path, archive)

    def put_site_files(self) -> None:
        """Give the fetch container this site's certificate authorities and passwords, outside the build's volume."""
        if self._recipe.ca_bundle or self._recipe.netrc:
            self.put("fetch", "/", pack_site_files(self._recipe))

    def run(
        self,
        step: StepName,
        log: Log,
        take: Callable[[bytes], None] | None = None,
        send: Callable[[], IO[bytes]] | None = None,
    ) -> None:
        """Run the container of `step` to its end, its standard output to `take`; raise BuildError where it fails."""
        ended = run_step(self._engine, self._name(step), self._recipe.limits.seconds, log, take, send)
        if ended.expired:
            raise time_limit_error(self._recipe, step)
        if ended.exit_code != 0:
            raise explain_failure(self._recipe, step, ended.exit_code, ended.last_lines, oom=ended.oom)

    def _script(self, step: StepName) -> str:
        script = f'cd "{WORK}/src/$PLUGINYARD_FOLDER" && {self._step(step).script}'
        if step == "fetch" and self._recipe.netrc:  # git looks for it there only; afterwards the link leads nowhere
            script = f'ln -s {NETRC_FILE} "$HOME/.netrc" && {script}'
        # What the compiler prints goes to the log; standard output is the module's alone.
        told = f"({script}) </dev/null >&2 || exit $?{TELL_OUTPUT}" if step == "compile" else script
        told = f"tar -xf - -C {WORK} >&2 || exit $?\n{told}" if self._fed else told
        # Nobody holds the time limit of a run that was killed: the container ends itself, a little later.
        latest = math.ceil(self._recipe.limits.seconds) + OWN_END_SECONDS
        return f"(sleep {latest}; kill -9 -1) </dev/null >/dev/null 2>&1 &\n{told}"

    def _step(self, step: StepName) -> BuildStep:
        found = self._recipe.fetch if step == "fetch" else self._recipe.compile
        assert found is not None  # noqa: S101 - `fetch` is asked for only where there is one
        return found.at(WORK, self._recipe.version)

    def _environment(self, step: StepName) -> dict[str, str]:
        own = {"PLUGINYARD_FOLDER": self._recipe.folder, OUTPUT_VARIABLE: self._recipe.output(WORK)}
        environment = {**self._step(step).environment, **own}
        if step == "fetch" and self._recipe.ca_bundle:
            environment |= dict.fromkeys(CA_VARIABLES, CA_FILE)
        if step == "fetch" and self._recipe.netrc:
            environment["NETRC"] = NETRC_FILE
        return environment

    def _mounts(self) -> list[dict[str, Any]]:
        own = volume_mount(self._volume, WORK, {RUN_LABEL: self._run_id})
        if self._recipe.cache == "private":
            return [own]
        builder = self._recipe.builder.name
        shared = f"pluginyard-shared-{builder}-{self._image.digest[-12:]}"
        marked = {SHARED_LABEL: builder}
        return [own, volume_mount(f"{shared}-cache", CACHE, marked), volume_mount(f"{shared}-fetched", FETCHED, marked)]

    def _name(self, step: Literal["fetch", "compile"]) -> str:
        return f"{self._volume}-{step}"
