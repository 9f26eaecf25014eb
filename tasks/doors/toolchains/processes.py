"""Run one step's commands as a process group with a time limit, and end the whole group with it."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from pluginyard.builds import EXPIRED, StepResult
from tasks.doors.build_output import BuildOutput, Log
from tasks.doors.process_groups import POLL_SECONDS, process_group

_BLOCK = 65536


def run_group(script: str, environment: Mapping[str, str], folder: Path, seconds: float, log: Log) -> StepResult:
    """Run the shell text `script` in `folder` with just `environment`, and return how it ended.

    No process of the group is left, whatever happens.
    """
    lines = BuildOutput(log)
    deadline = time.monotonic() + seconds
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with process_group(["/bin/sh", "-c", script], environment, cwd=folder, **streams) as process:
        expired = _read_until_end(process, lines, deadline)
        lines.close()
        if expired:
            return StepResult(EXPIRED, lines.errors, lines.output, expired=True)
        code = process.wait()
    return StepResult(128 - code if code < 0 else code, lines.errors, lines.output)


def _read_until_end(process: subprocess.Popen[bytes], lines: BuildOutput, deadline: float) -> bool:
    """Read both streams until they or the process end; return True where the deadline came first."""
    with selectors.DefaultSelector() as selector:
        for stream, feed in ((process.stdout, lines.feed), (process.stderr, lines.feed_errors)):
            assert stream is not None  # noqa: S101 - it was asked for
            selector.register(stream, selectors.EVENT_READ, feed)
        while (left := deadline - time.monotonic()) > 0:
            ready = selector.select(min(left, POLL_SECONDS))
            for key, _ in ready:
                if block := os.read(key.fd, _BLOCK):
                    key.data(block)
                else:
                    selector.unregister(key.fileobj)
            if not selector.get_map():
                return not _ends_by(process, deadline)
            if not ready and process.poll() is not None:
                return False  # a child it left holds the output open
    return True


def _ends_by(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
