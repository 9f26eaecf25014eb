"""Lose machines: with this folder on a worker's PYTHONPATH, runs of certain plugins die at certain tasks, once.

Python imports this file when it starts, so nothing of the project knows of it. FAULTS_FOLDER names a folder of the
test. There is noted which task began in which process, and there

- a run of the plugin `lost-at-TASK` gets SIGKILL when TASK begins, and so does its worker, as where a machine is lost;
- a run of the plugin `held-at-TASK` waits there, as a long build does, until the file `go-on` is there; where the file
  `hold TASK` is, each run does;
- a run whose id is a file's name in `before-begin` is lost before it begins.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_FOLDER = Path(os.environ.get("FAULTS_FOLDER") or "/nonexistent")
_ENGINE = "prefect.task_engine"
_LONGEST_SECONDS = 120


def _lose_this_machine() -> None:
    """End this process and the worker that started it, which must be of the same test."""
    mark = f"FAULTS_FOLDER={_FOLDER}".encode()
    worker = os.getppid()
    if mark in Path(f"/proc/{worker}/environ").read_bytes().split(b"\0"):
        os.kill(worker, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_first(name: str) -> bool:
    """Tell whether nobody has asked for this name before."""
    try:
        (_FOLDER / name).open("x").close()
    except FileExistsError:
        return False
    return True


def _begins(task: str, tag: str) -> None:
    (_FOLDER / f"begun {tag} {task} {os.getpid()}").touch()
    if f"-lost-at-{task}-v" in tag and _is_first(f"lost {tag}"):
        _lose_this_machine()
    if f"-held-at-{task}-v" in tag or (_FOLDER / f"hold {task}").exists():
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not (_FOLDER / "go-on").exists() and time.monotonic() < deadline:
            time.sleep(0.1)


def _watch(engine: Any) -> None:
    call: Callable[..., Any] = engine.call_task_fn

    def call_task_fn(self: Any, *arguments: Any, **named: Any) -> Any:
        from prefect.context import FlowRunContext

        run = FlowRunContext.get()
        request = run.parameters.get("request") if run and run.parameters else None
        _begins(self.task.name, getattr(request, "tag", ""))
        return call(self, *arguments, **named)

    engine.call_task_fn = call_task_fn


class _Finder(MetaPathFinder):
    """Wait for Prefect's engine of tasks to be imported, and watch it."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _ENGINE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            _watch(module.SyncTaskRunEngine)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if _FOLDER.is_dir() and "PREFECT__FLOW_RUN_ID" in os.environ:
    if (_FOLDER / "before-begin" / os.environ["PREFECT__FLOW_RUN_ID"]).exists():
        (_FOLDER / "before-begin" / os.environ["PREFECT__FLOW_RUN_ID"]).unlink()
        _lose_this_machine()
    sys.meta_path.insert(0, _Finder())
