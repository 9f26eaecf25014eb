"""A transfer of 500 MB holds less than 120 MB, in either direction."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.machine.registries import RunningRegistry, run_registry

MEGABYTES = 500
MOST_BYTES = 120_000_000


@pytest.mark.parametrize("kind", ["registry", "layout"])
def test_half_a_gigabyte_goes_there_and_back_in_little_memory(kind: str, open_registry: RunningRegistry) -> None:
    assert open_registry  # skips or fails this test too where no registry can be had
    with tempfile.TemporaryDirectory() as folder, run_registry("open", Path(folder)) as registry:
        place = f"{registry.host}/team/plugins" if kind == "registry" else f"oci:{folder}/layout"
        for action in ("push", "pull"):
            command = [sys.executable, "-m", "tests.machine.transfer", action, place, "large", str(MEGABYTES)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, done.stderr
            assert int(done.stdout) < MOST_BYTES
