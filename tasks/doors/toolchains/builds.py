"""Build one module with a toolchain of this machine, in a folder of its own that is removed afterwards."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pluginyard.builds import (
    BuildStep,
    BuiltModule,
    Recipe,
    StepName,
    explain_failure,
    site_file_error,
    time_limit_error,
)
from tasks.doors.toolchains.files import take_module, unpack_source, work_folder, write_scripts
from tasks.doors.toolchains.finding import HostToolchain
from tasks.doors.toolchains.processes import run_group

CA_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO")
Log = Callable[[str], None]


def build_on_host(
    toolchain: HostToolchain,
    recipe: Recipe,
    context: Path,
    target: Path,
    *,
    log: Log,
    workdir: Path,
    warm_folder: Path | None = None,
) -> BuiltModule:
    """Build `recipe` from the tar `context` with `toolchain` and leave the module at `target`.

    `workdir` holds what the build makes, and is left empty; `warm_folder` (default: `workdir`) keeps the standard
    library compiled for the next build, so it must outlive the run and lie on the same file system.
    The environment is the recipe's and nothing of this process's own. Raises BuildError with what the
    toolchain said, translated.
    """
    here = recipe if recipe.kind == "host" else recipe.on_host(toolchain.version)
    with work_folder(workdir) as work:
        unpack_source(context, work / "src")
        write_scripts(work / "builder", here.builder.scripts)
        build = _HostBuild(toolchain, here, work, log)
        build.warm(warm_folder or workdir)
        if here.fetch:
            with build.passwords():
                build.run("fetch", here.fetch)
        build.run("compile", here.compile)
        return take_module(here, work, target)


@dataclass(frozen=True)
class _HostBuild:
    toolchain: HostToolchain
    recipe: Recipe
    work: Path
    log: Log

    def run(self, name: StepName, step: BuildStep) -> None:
        """Run one step; raise BuildError where it fails."""
        here = step.at(str(self.work), self.toolchain.version)
        environment = {"PATH": self.toolchain.path, **here.environment}
        if name == "fetch" and self.recipe.ca_bundle:
            environment |= dict.fromkeys(CA_VARIABLES, self.recipe.ca_bundle)
        if name == "fetch" and self.recipe.netrc:
            environment["NETRC"] = self.recipe.netrc
        script = f"cd {shlex.quote(self.recipe.folder)} && {here.script}"
        ended = run_group(script, environment, self.work / "src", self.recipe.limits.seconds, self.log)
        if ended.expired:
            raise time_limit_error(self.recipe, name)
        if ended.exit_code != 0:
            raise explain_failure(self.recipe, name, ended.exit_code, ended.last_lines, oom=False)

    @contextlib.contextmanager
    def passwords(self) -> Iterator[None]:
        """Let the block find this site's netrc file, and nothing after it."""
        if not self.recipe.netrc:
            yield
            return
        link = self.work / "home" / ".netrc"  # git looks for it there only
        try:
            with Path(self.recipe.netrc).open("rb"):
                link.symlink_to(Path(self.recipe.netrc).resolve())
        except OSError as error:
            raise site_file_error("netrc file", self.recipe.netrc, error, "PLUGINYARD_NETRC") from error
        try:
            yield
        finally:
            link.unlink(missing_ok=True)

    def warm(self, workdir: Path) -> None:
        """Start from a copy of the toolchain's own warm cache, which is made once and never built in."""
        wanted = self.recipe.builder.definition.host
        if wanted is None or not wanted.warm:
            return
        digest = self.recipe.builder.digest[-12:]
        warm = workdir / f"warm-{self.toolchain.name}-{self.toolchain.version}-{digest}"
        if not warm.exists():
            workdir.mkdir(parents=True, exist_ok=True)
            with work_folder(self.work.parent) as work:
                self._fill(BuildStep(wanted.warm, self.recipe.compile.environment), work, warm)
        shutil.copytree(warm, self.work / "cache", dirs_exist_ok=True)

    def _fill(self, step: BuildStep, work: Path, warm: Path) -> None:
        write_scripts(work / "builder", self.recipe.builder.scripts)
        here = step.at(str(work), self.toolchain.version)
        environment = {"PATH": self.toolchain.path, **here.environment}
        self.log(f"compiling the standard library of {self.toolchain}: once for this machine")
        ended = run_group(here.script, environment, work, self.recipe.limits.seconds, self.log)
        # An empty one is no reason to fail: the build is slower, and says itself what is wrong.
        try:
            os.rename(work / "cache", warm)  # noqa: PTH104 - must fail where another process was first
        except OSError:
            self.log(f"the warm cache was not kept (exit {ended.exit_code})")
