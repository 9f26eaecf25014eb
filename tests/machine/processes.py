"""Find the processes that belong to a test: what must be gone when it is over."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose working folder lies below `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")).is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def processes_naming(word: str) -> list[int]:
    """Return the processes that have `word` in their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def heed_interrupts() -> None:
    """Let SIGINT end the process that is started, as its `preexec_fn`: a background job's children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
