from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.fuzz_targets import TARGETS
from tests.machine.host_toolchains import miss

PROJECT = Path(__file__).parents[2]
RUNS = os.environ.get("PLUGINYARD_FUZZ_RUNS", "")


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_that_coverage_leads_to_ends_in_an_error_that_is_not_the_readers_own(
    name: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec("atheris") is None:
        miss("atheris (it has wheels for Linux on x86_64)")
    command = [sys.executable, "-m", "tests.machine.fuzz", name, RUNS or str(TARGETS[name].runs), str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
