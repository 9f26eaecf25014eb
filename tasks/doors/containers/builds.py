"""Build one module in containers: one that fetches with network, one that compiles without."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pluginyard.builds import (
    PREPARED,
    RUN_LABEL,
    WORK,
    BuiltModule,
    FileContent,
    Recipe,
    Sandbox,
    StepName,
    fits_in_memory,
    lay_out_work,
    require_success,
)
from tasks.doors.build_output import Log
from tasks.doors.containers.engines import Engine, engine_errors
from tasks.doors.containers.fetch_files import pack_fetch_files
from tasks.doors.containers.images import BuilderImage
from tasks.doors.containers.outputs import ModuleReceiver
from tasks.doors.containers.running import remove_quietly, run_step
from tasks.doors.containers.streams import pack_work, read_prepared
from tasks.doors.module_file import ModuleFile

RunInBackground = Callable[[Callable[[], object]], object]


def _run_now(removal: Callable[[], object]) -> object:
    return removal()


def build_in_container(
    engine: Engine,
    image: BuilderImage,
    recipe: Recipe,
    source: Iterable[FileContent],
    target: Path,
    *,
    source_bytes: int,
    run_id: str,
    log: Log,
    run_in_background: RunInBackground = _run_now,
) -> BuiltModule:
    """Build `recipe` from `source` (of `source_bytes`), which is read once, and leave the module at `target`.

    Nothing of the build stays on the engine, whatever happens; what a killed process leaves is marked with `run_id`
    for `remove_leftovers`. After success the removal is handed to `run_in_background`, for it takes as long as a small
    compilation. Raises BuildError with what the toolchain said, translated.
    """
    # Only of this machine: there the SDK's connection is a plain socket that can be written while it is read.
    streamed = engine.address.startswith("unix:") and fits_in_memory(recipe, source_bytes)
    name = f"pluginyard-{uuid.uuid4().hex}"
    compile_image = image.compile_digest or image.digest
    sandbox = Sandbox(name, recipe, image.digest, compile_image, engine.cpus, run_id, streamed=streamed)
    with (
        engine_errors(engine.address),
        BuildContainers(engine, sandbox, log, run_in_background) as containers,
        ThreadPoolExecutor(1, thread_name_prefix="pack") as packer,
    ):
        prepared = containers.prepared() if recipe.layer_script else ()
        packed = packer.submit(pack_work, lay_out_work(recipe.builder.scripts, source, prepared))
        if streamed:
            containers.create("compile")
        else:
            _prepare(containers, recipe, packed.result)
        with ModuleFile(recipe, target) as file:
            module = ModuleReceiver(recipe, file)
            containers.run("compile", module.feed, packed.result if streamed else None)
            return module.keep()


def _prepare(containers: BuildContainers, recipe: Recipe, packed: Callable[[], IO[bytes]]) -> None:
    """Create the container that compiles, on a volume with the source and what the fetch step leaves."""
    first: StepName = "fetch" if recipe.fetch else "compile"
    containers.create(first)
    with packed() as work:
        containers.put(first, WORK, work)
    if recipe.fetch:
        # Outside the volume, so the container that compiles never has them.
        if recipe.site.ca_bundle or recipe.site.netrc:
            containers.put("fetch", "/", pack_fetch_files(recipe.site))
        containers.run("fetch")
        containers.create("compile")


class BuildContainers:
    """Own the volume and the containers of one build; leaving it removes them."""

    def __init__(self, engine: Engine, sandbox: Sandbox, log: Log, run_in_background: RunInBackground) -> None:
        self._engine, self._sandbox, self._log = engine, sandbox, log
        self._run_in_background = run_in_background
        self._created: list[str] = []

    def __enter__(self) -> BuildContainers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._run_in_background(self._remove_all)
        else:
            with contextlib.suppress(BaseException):  # the error that ended the build is the one to report
                self._remove_all()

    def _remove_all(self) -> None:
        interrupt: BaseException | None = None
        for remove in self._removals():
            try:
                remove_quietly(remove)
            except BaseException as again:  # a second Ctrl-C must not leave the volume behind
                interrupt = again
        if interrupt is not None:
            raise interrupt

    def _removals(self) -> list[Callable[[], Any]]:
        client = self._engine.client
        containers = [partial(client.remove_container, name, force=True, v=True) for name in self._created]
        volumes = [] if self._sandbox.streamed else [partial(client.remove_volume, self._sandbox.name, force=True)]
        return [*containers, *volumes]

    def create(self, step: StepName) -> None:
        """Create the container of `step`; the first one creates the volume too."""
        name = self._sandbox.container(step)
        self._created.append(name)  # before the call: an interrupted one may have created it
        self._engine.client.create_container_from_config(self._sandbox.config(step), name)  # type: ignore[no-untyped-call]

    def prepared(self) -> Iterator[FileContent]:
        """Yield what the plugin's script left in the image to compile in, of which nothing runs here."""
        name = f"{self._sandbox.name}-prepared"
        self._created.append(name)
        config = {"Image": self._sandbox.compile_image, "Cmd": ["true"], "Labels": {RUN_LABEL: self._sandbox.run_id}}
        self._engine.client.create_container_from_config(config, name)  # type: ignore[no-untyped-call]
        stream, _ = self._engine.client.get_archive(name, PREPARED)
        return read_prepared(stream, self._sandbox.recipe)

    def put(self, step: StepName, path: str, archive: Any) -> None:
        """Unpack the tar `archive` into the container of `step` at `path`."""
        self._engine.client.put_archive(self._sandbox.container(step), path, archive)

    def run(
        self,
        step: StepName,
        take: Callable[[bytes], None] | None = None,
        send: Callable[[], IO[bytes]] | None = None,
    ) -> None:
        """Run the container of `step` to its end, its standard output to `take`; raise BuildError where it fails."""
        recipe = self._sandbox.recipe
        result = run_step(self._engine, self._sandbox.container(step), recipe.site.seconds, self._log, take, send)
        require_success(recipe, step, result)
