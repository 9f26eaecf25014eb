"""One after the other: what each test process of this machine would bring or start, and one of them does for all."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

T = TypeVar("T")


def cache_folder() -> Path:
    """Return the folder of what is kept from one run of the tests to the next."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "pluginyard"


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Wait until no other process is within a block of that name; a process that dies leaves none."""
    with _opened(f"{what}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def used_by_many(what: str, enter: Callable[[], T], leave: Callable[[], None]) -> Iterator[T]:
    """Give what `enter` returns; the last process that leaves the block calls `leave`."""
    with _opened(f"{what}.users") as users:
        with one_at_a_time(what):
            fcntl.flock(users, fcntl.LOCK_SH)
            found = enter()
        try:
            yield found
        finally:
            with one_at_a_time(what), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where others use it
                leave()


def _opened(name: str) -> TextIO:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / name).open("w")
