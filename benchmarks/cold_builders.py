"""Builders whose image nobody has yet, without taking away the images that others use."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator

from benchmarks.shell_pipeline import IMAGE
from benchmarks.stage import Stage

_LABEL = "io.pluginyard.benchmark"
_FROM = "FROM ${BASE_IMAGE} AS alone\n"
_WITH_GO = "pluginyard-benchmark/golang"
_ADD_GIT = f"""FROM {IMAGE}
RUN apt-get update -q && apt-get install -q -y --no-install-recommends git && ln -s go-1.24 /usr/lib/go
"""


@contextlib.contextmanager
def cold_builders(stage: Stage) -> Iterator[Stage]:
    """Give the stage a Go builder like its own whose image has to be made; take that image away at the end.

    A label of its own right after FROM lets the engine take no step of another image for one of this one. The base
    image is there, as the shell pipeline's own image is.
    """
    mark = uuid.uuid4().hex
    folder = stage.folder / f"builders-{mark}"
    shutil.copytree(stage.command_line.environment["PLUGINYARD_BUILDERS"], folder)
    dockerfile = folder / "go" / "Dockerfile"
    text = dockerfile.read_text()
    assert text.count(_FROM) == 1
    dockerfile.write_text(text.replace(_FROM, f"{_FROM}LABEL {_LABEL}={mark}\n"))
    try:
        yield stage.with_settings(PLUGINYARD_BUILDERS=str(folder))
    finally:
        _remove_images(stage, f"{_LABEL}={mark}")


def on_base_with_go(stage: Stage) -> Stage:
    """Let the builder's image start from one that has Go and git, as the default one (golang) has."""
    making = [*stage.shell.docker, "build", "--quiet", "--tag", _WITH_GO, "-"]
    subprocess.run(
        making, input=_ADD_GIT, text=True, check=True, capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "0"}
    )
    return stage.with_settings(PLUGINYARD_BASE_IMAGE=_WITH_GO)


def _remove_images(stage: Stage, label: str) -> None:
    docker = stage.shell.docker
    found = subprocess.run(
        [*docker, "images", "--quiet", "--filter", f"label={label}"], capture_output=True, text=True, check=True
    )
    for image in dict.fromkeys(found.stdout.split()):
        subprocess.run([*docker, "rmi", "--force", image], capture_output=True, check=True)
