"""The shell pipeline that published Higress's plugins until 2026, step by step: what pluginyard is measured beside.

A fresh container for each plugin, `go mod tidy`, `go build` from nothing, `tar czvf`, `oras login`, a push of the
version and one of `latest`. Its checkout is not measured, ours is.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.sample_plugins import EXTENSIONS
from tests.machine.debian import ensure_debian_package
from tests.machine.engine import EngineHandle
from tests.machine.registries import RunningRegistry

IMAGE = "pluginyard-benchmark/shell-builder"
_FOLDER = Path(__file__).parent / "shell-builder"
_LAYERS = (
    "./README_EN.md:application/vnd.module.wasm.doc.v1.en+markdown "
    "./README.md:application/vnd.module.wasm.doc.v1+markdown "
    "./spec.yaml:application/vnd.module.wasm.spec.v1+yaml "
    "./plugin.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip"
)
# In the container, as one `bash -c`, with the clock read between the steps.
_SCRIPT = f"""
set -e
step() {{ echo "@step $1 $(date +%s%N)"; }}
step begin
cd "/workspace/$FOLDER"
go mod tidy
step "go mod tidy"
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o plugin.wasm .
step "go build"
tar czvf plugin.tar.gz plugin.wasm
step tar
[ -z "$USERNAME" ] || echo "$PASSWORD" | oras login --plain-http -u "$USERNAME" --password-stdin "$REGISTRY"
step "oras login"
oras push --plain-http "$REFERENCE:$VERSION" {_LAYERS}
step "oras push VERSION"
oras push --plain-http "$REFERENCE:latest" {_LAYERS}
step "oras push latest"
"""


@dataclass(frozen=True)
class ShellPipeline:
    """Run the pipeline in containers of one engine, with the files of `work_tree`."""

    docker: tuple[str, ...]
    base: tuple[str, ...]
    """Arguments that name the image which its own builder starts from."""
    work_tree: Path

    def make_image(self, *more: str, tag: str = IMAGE) -> None:
        """Make the pipeline's builder image."""
        arguments = ("build", "--quiet", *more, "--tag", tag, *self.base, str(_FOLDER))
        self._run(*arguments, environment={"DOCKER_BUILDKIT": "0"})

    def make_image_anew(self) -> float:
        """Make the image from the base on as if nobody had one, and take it away again; return the seconds."""
        tag, begun = f"{IMAGE}:anew-{os.getpid()}", time.monotonic()
        self.make_image("--no-cache", tag=tag)
        seconds = time.monotonic() - begun
        self._run("rmi", tag)
        return seconds

    def publish(self, registry: RunningRegistry, name: str, version: str) -> dict[str, float]:
        """Publish one plugin as the pipeline did; return the seconds of each step, `total` among them."""
        container = f"pluginyard-benchmark-{os.getpid()}"
        settings = {
            "FOLDER": str(EXTENSIONS / name),
            "USERNAME": registry.username,
            "PASSWORD": registry.password,
            "REGISTRY": registry.host,
            "REFERENCE": f"{registry.host}/shell/{name}",
            "VERSION": version,
        }
        begun = time.monotonic()
        # The host's network only because the registry listens on its loopback.
        mounted = ("-v", f"{self.work_tree}:/workspace", "--network", "host")
        try:
            self._run("run", "-itd", "--name", container, *mounted, "--rm", IMAGE, "/bin/bash")
            running = time.monotonic()
            printed = self._run("exec", *_passed_on(settings), container, "bash", "-c", _SCRIPT, environment=settings)
            built = time.monotonic()
        finally:
            self._run("rm", "--force", container)
        ended = time.monotonic()
        return {
            "docker run": running - begun,
            **_steps_of(printed),
            "docker rm": ended - built,
            "total": ended - begun,
        }

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [*self.docker, *arguments],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        if done.returncode:
            raise RuntimeError(f"docker {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


def prepare_shell_pipeline(engine: EngineHandle, work_tree: Path) -> ShellPipeline:
    """Return the pipeline after its builder image was made on the engine."""
    docker = (ensure_debian_package("docker", "docker.io"), "--host", engine.address)
    base = ("--build-arg", f"BASE_IMAGE={engine.base_image}") if engine.base_image else ()
    pipeline = ShellPipeline(docker, base, work_tree)
    pipeline.make_image()
    return pipeline


def _passed_on(settings: Mapping[str, str]) -> Iterator[str]:
    for name in settings:
        yield from ("--env", name)


def _steps_of(printed: str) -> dict[str, float]:
    """Return the seconds between the clock readings in what the script printed."""
    lines = [line.removeprefix("@step ") for line in printed.splitlines() if line.startswith("@step ")]
    readings = [(name, int(moment)) for name, _, moment in (line.rpartition(" ") for line in lines)]
    return {name: (moment - before) / 1e9 for (_, before), (name, moment) in pairwise(readings)}
