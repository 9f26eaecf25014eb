"""Start a program as the leader of a process group that ends with the block it is used in."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

POLL_SECONDS = 0.5
"""How often to look whether the process of a group still runs while its output is awaited."""


@contextlib.contextmanager
def process_group(
    command: Sequence[str], environment: Mapping[str, str], **streams: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `command` with just `environment`; kill what is left of its whole group when the block is left.

    `streams` are Popen's: the standard ones, and the folder it works in.
    """
    # S603: a list of the caller's own words, without a shell of ours.
    process = subprocess.Popen(command, env=dict(environment), start_new_session=True, **streams)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
