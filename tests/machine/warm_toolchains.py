"""What a first build on a new machine compiles of the standard library: compiled once, for every user of the tests."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pluginyard.builds import plan_recipe
from pluginyard.settings import load_site
from tasks.doors.builders import find_builders
from tasks.doors.toolchains import build_on_host, find_toolchain
from tests.machine.builds import FOLDER, GO_PLUGIN, source_of
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
                recipe = plan_recipe(builder, plugin_folder=FOLDER, site=load_site({}), needs_fetch=False)
                with tempfile.TemporaryDirectory(dir=kept) as name:
                    folder = Path(name)
                    source = source_of(GO_PLUGIN)
                    warm = folder / "warm"
                    build_on_host(toolchain, recipe, source, folder / "x.wasm", log=print, workdir=warm)
                    warm.replace(ours)
        shutil.copytree(ours, cache / "toolchains")
    return cache
