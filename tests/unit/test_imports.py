"""This tier decides: it starts in a moment, for nothing in it imports Prefect or an SDK of an outside thing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_test_of_this_tier_imports_the_flow_engine_or_an_sdk_of_the_engine() -> None:
    paths = sorted(Path(__file__).parent.rglob("test_*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    script = (
        f"import importlib, sys; [importlib.import_module(name) for name in {names}];"
        "print(*sorted({'prefect', 'docker'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
