"""Run one step's commands as a process group with a time limit, and end the whole group with it."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pluginyard.builds import BuildLog
from tasks.doors.process_groups import process_group

BLOCK = 65536
GLANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Ended:
    """Say how a group of processes ended."""

    exit_code: int
    expired: bool
    last_lines: tuple[str, ...]


def run_group(
    script: str, environment: Mapping[str, str], folder: Path, seconds: float, log: Callable[[str], None]
) -> Ended:
    """Run the shell text `script` in `folder` with just `environment`, and return how it ended.

    No process of the group is left, whatever happens.
    """
    lines = BuildLog(log, time.monotonic)
    deadline = time.monotonic() + seconds
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with process_group(["/bin/sh", "-c", script], environment, cwd=folder, **streams) as process:
        expired = _read_until_end(process, lines, deadline)
        lines.close()
        if expired:
            return Ended(137, True, tuple(lines.last_lines))
        code = process.wait()
    return Ended(128 - code if code < 0 else code, False, tuple(lines.last_lines))


def _read_until_end(process: subprocess.Popen[bytes], lines: BuildLog, deadline: float) -> bool:
    """Read the output until it or the process ends; return True where the deadline came first."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    output = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if selector.select(min(left, GLANCE_SECONDS)):
                block = os.read(output, BLOCK)
                if not block:
                    return not _ends_by(process, deadline)
                lines.feed(block)
            elif process.poll() is not None:
                return False  # a child it left holds the output open
    return True


def _ends_by(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
