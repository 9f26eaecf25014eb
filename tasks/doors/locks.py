"""Locks between the processes and threads of this machine, as files; the kernel releases those of a dead process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FOR_EVER = -1


@contextmanager
def file_lock(path: Path, *, seconds: float = FOR_EVER, check: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path`, which is made where it is missing and stays, while the block lasts.

    Waits at most `seconds` (0: one try) and raises TimeoutError. `check` is called while it waits: what it raises ends
    the waiting.
    """
    import filelock  # takes 20 to 45 ms to import, and `pluginyard plan` holds no lock

    def is_cancelled() -> bool:
        if check:
            check()
        return False

    lock = filelock.FileLock(path)
    with lock.acquire(timeout=seconds, cancel_check=is_cancelled):
        yield


def is_locked(path: Path) -> bool:
    """Return whether another process or thread, or this one, holds the lock file `path`."""
    if not path.exists():
        return False
    try:
        with file_lock(path, seconds=0):
            return False
    except TimeoutError:
        return True
