"""Build one module with a toolchain of this machine, in a folder of its own that is removed afterwards."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pluginyard.builds import (
    BuildStep,
    BuiltModule,
    FileContent,
    Recipe,
    StepName,
    lay_out_work,
    require_success,
    site_file_error,
)
from tasks.doors.build_output import Log
from tasks.doors.toolchains.files import take_module, work_folder
from tasks.doors.toolchains.finding import HostToolchain
from tasks.doors.toolchains.processes import run_group


def build_on_host(
    toolchain: HostToolchain,
    recipe: Recipe,
    source: Iterable[FileContent],
    target: Path,
    *,
    log: Log,
    workdir: Path,
    warm_folder: Path | None = None,
) -> BuiltModule:
    """Build `recipe` from `source`, which is read once, with `toolchain` and leave the module at `target`.

    `workdir` holds what the build makes, and is left empty; `warm_folder` (default: `workdir`) keeps the standard
    library compiled for the next build, so it must outlive the run and lie on the same file system.
    The environment is the recipe's and nothing of this process's own. Raises BuildError with what the
    toolchain said, translated.
    """
    here = recipe if recipe.kind == "host" else recipe.on_host(toolchain.version)
    with work_folder(workdir, lay_out_work(here.builder.scripts, source)) as root:
        build = _HostBuild(toolchain, here, root, log)
        build.warm(warm_folder or workdir)
        if here.fetch:
            with build.passwords():
                build.run("fetch")
        build.run("compile")
        return take_module(here, root, target)


@dataclass(frozen=True)
class _HostBuild:
    toolchain: HostToolchain
    recipe: Recipe
    root: Path
    log: Log

    def run(self, name: StepName) -> None:
        """Run one step; raise BuildError where it fails."""
        site = self.recipe.site
        step = self.recipe.step(name, str(self.root), ca_bundle=site.ca_bundle, netrc=site.netrc)
        script = f"cd {shlex.quote(self.recipe.folder)} && {step.script}"
        environment = {"PATH": self.toolchain.path, **step.environment}
        require_success(self.recipe, name, run_group(script, environment, self.root / "src", site.seconds, self.log))

    @contextlib.contextmanager
    def passwords(self) -> Iterator[None]:
        """Let the block find this site's netrc file, and nothing after it."""
        netrc = self.recipe.site.netrc
        if not netrc:
            yield
            return
        link = self.root / "home" / ".netrc"  # git looks for it there only
        try:
            with Path(netrc).open("rb"):
                link.symlink_to(Path(netrc).resolve())
        except OSError as error:
            raise site_file_error("netrc file", netrc, error, "PLUGINYARD_NETRC") from error
        try:
            yield
        finally:
            link.unlink(missing_ok=True)

    def warm(self, folder: Path) -> None:
        """Start from a copy of the toolchain's own warm cache, which is made once and never built in."""
        wanted = self.recipe.builder.definition.host
        if wanted is None or not wanted.warm:
            return
        digest = self.recipe.builder.digest[-12:]
        warm = folder / f"warm-{self.toolchain.name}-{self.toolchain.version}-{digest}"
        if not warm.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with work_folder(self.root.parent, lay_out_work(self.recipe.builder.scripts, ())) as root:
                self._fill(BuildStep(wanted.warm, self.recipe.compile.environment), root, warm)
        shutil.copytree(warm, self.root / "cache", dirs_exist_ok=True)

    def _fill(self, step: BuildStep, root: Path, warm: Path) -> None:
        here = step.at(str(root), self.toolchain.version)
        environment = {"PATH": self.toolchain.path, **here.environment}
        self.log(f"compiling the standard library of {self.toolchain}: once for this machine")
        result = run_group(here.script, environment, root, self.recipe.site.seconds, self.log)
        # An empty one is no reason to fail: the build is slower, and says itself what is wrong.
        try:
            os.rename(root / "cache", warm)  # noqa: PTH104 - must fail where another process was first
        except OSError:
            self.log(f"the warm cache was not kept (exit {result.exit_code})")
