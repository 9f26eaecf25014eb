"""Builders of a site whose toolchain is the shell: what they leave, and how long they take, is the test's choice."""

from __future__ import annotations

import json
from pathlib import Path

from tests.machine.engine import EngineHandle

ANY_BASE = "debian:trixie-slim"


def write_shell_builder(folder: Path, script: str, engine: EngineHandle, name: str = "go") -> Path:
    """Write a builder that stands in for `name` in `folder`; `script` leaves the module in {work}/out/plugin.wasm."""
    definition = {
        "toolchain": {"name": "sh", "version": "1.0", "version_command": ["echo", "1.0"]},
        "manifest": "go.mod",
        "image": {"ready": engine.base_image or ANY_BASE},
        "host": {"binary": "sh", "minimum": "0"},
        "compile": {"commands": [["sh", "-c", script]], "output": "{work}/out/plugin.wasm"},
    }
    (folder / name).mkdir(parents=True)
    (folder / name / "builder.yaml").write_text(json.dumps(definition))  # JSON is YAML
    return folder
