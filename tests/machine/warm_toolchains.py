"""What a first build on a new machine compiles of the standard library: compiled once, for every user of the tests."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pluginyard.builds import BuildSettings, plan_recipe
from tasks.doors.builders import find_builders
from tasks.doors.toolchains import build_on_host, find_toolchain
from tests.machine.builds import FOLDER, GO_PLUGIN, pack_context
from tests.machine.turns import cache_folder, one_at_a_time


def warm_cache(cache: Path) -> Path:
    """Put what a build of Go on this machine starts from into `cache`, a PLUGINYARD_CACHE; return it.

    Nothing is put there where this machine has no Go.
    """
    builder = find_builders()["go"]
    if toolchain := find_toolchain(builder):
        kept = cache_folder() / "toolchains"
        kept.mkdir(parents=True, exist_ok=True)
        ours = kept / builder.digest[-12:]
        with one_at_a_time("toolchains"):
            if not ours.exists():
                recipe = plan_recipe(builder, plugin_folder=FOLDER, settings=BuildSettings(), needs_fetch=False)
                with tempfile.TemporaryDirectory(dir=kept) as name:
                    folder = Path(name)
                    context = pack_context(GO_PLUGIN, folder / "context.tar")
                    warm = folder / "warm"
                    build_on_host(toolchain, recipe, context, folder / "x.wasm", log=print, workdir=warm)
                    warm.replace(ours)
        shutil.copytree(ours, cache / "toolchains")
    return cache
