"""Run git against a remote so that it ends: with its time limit, with the run, and with the death of this process."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO

from pluginyard.errors import SourceError, SourceUnavailableError
from tasks.doors.process_groups import POLL_SECONDS, process_group

_LONGEST_OUTPUT = 65536
# Our end of the shell's input closes when this process is gone, however it went: then the whole group goes. The shell
# alone holds its output, which so ends when it does.
_GUARDED = """
exec 3<&0 </dev/null
{ read -r _ <&3; kill -KILL 0; } >/dev/null &
guard=$!
exec 3<&-
"$@" >/dev/null
code=$?
kill "$guard" 2>/dev/null
wait "$guard" 2>/dev/null
exit "$code"
"""


class TimedFetch:
    """Hold the time limit of all that a run waits for at one remote; another thread may end it before."""

    def __init__(self, subject: str, seconds: float) -> None:
        self._subject = subject
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._ended = threading.Event()

    def end(self) -> None:
        """End what is waited for; called from another thread."""
        self._ended.set()

    def check(self) -> None:
        """Raise SourceUnavailableError past the time limit, SourceError where the run ends."""
        if self._ended.is_set():
            raise SourceError("the run ends", subject=self._subject, remedy="start it again")
        if time.monotonic() >= self._deadline:
            said = f"cannot reach it: no answer within {self._seconds:g} s"
            raise SourceUnavailableError(said, subject=self._subject, remedy="try later")

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run `command`; return its exit code and the end of what it printed as errors. Nothing of it is left."""
        with tempfile.TemporaryFile() as errors, _group(command, environment, errors) as process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while not selector.select(POLL_SECONDS):
                    self.check()
            return process.wait(), end_of(errors)


_under_way: set[TimedFetch] = set()


@contextlib.contextmanager
def fetch_within(seconds: float, subject: str) -> Iterator[TimedFetch]:
    """Give a fetch with the time limit `seconds`."""
    fetch = TimedFetch(subject, seconds)
    _under_way.add(fetch)
    try:
        yield fetch
    finally:
        _under_way.discard(fetch)


@contextlib.contextmanager
def fetches_that_end() -> Iterator[None]:
    """Where an exception leaves the block, end the fetches of all threads: a cancelled run waits for its threads."""
    try:
        yield
    except BaseException:
        for fetch in tuple(_under_way):
            fetch.end()
        raise


def _group(
    command: Sequence[str], environment: Mapping[str, str], errors: IO[bytes]
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    guarded = ["/bin/sh", "-c", _GUARDED, "sh", *command]
    # Errors into a file: ssh may leave a process behind that keeps a pipe open.
    return process_group(guarded, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)


def end_of(errors: IO[bytes]) -> str:
    """Return the end of what git printed as errors into a file."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LONGEST_OUTPUT))
    return str(errors.read(), "utf-8", "replace")
