"""What a step of a build prints, as blocks of lines: a log entry for each line would cost more than the build."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from pluginyard.builds import KEPT_LINES

Log = Callable[[str], None]
BLOCK_LINES = 50
BLOCK_SECONDS = 0.5
LONGEST_LINE = 8192
# A hostile build prints without end; what is logged of it ends here.
LOGGED_BYTES = 4 * 1024 * 1024


class BuildOutput:
    """Gather what a step prints into lines, and hand them to `write` in blocks; `clock` returns seconds."""

    def __init__(self, write: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._output, self._errors = _Lines(), _Lines()
        self._block: list[str] = []
        self._written_at = float("-inf")
        self._logged = 0

    @property
    def output(self) -> tuple[str, ...]:
        """Return the last lines of standard output."""
        return tuple(self._output.last)

    @property
    def errors(self) -> tuple[str, ...]:
        """Return the last lines of standard error."""
        return tuple(self._errors.last)

    def feed(self, content: bytes) -> None:
        """Take the next bytes of standard output."""
        self._log(self._output.take(content))

    def feed_errors(self, content: bytes) -> None:
        """Take the next bytes of standard error."""
        self._log(self._errors.take(content))

    def close(self) -> None:
        """Hand over what is left."""
        self._log([*self._output.end(), *self._errors.end()])
        self._flush()

    def _log(self, lines: Iterable[str]) -> None:
        for line in lines:
            if self._logged > LOGGED_BYTES:
                continue
            self._logged += len(line) + 1
            self._block.append(line if self._logged <= LOGGED_BYTES else "… more output follows, which is not logged")
        if len(self._block) >= BLOCK_LINES or self._clock() - self._written_at >= BLOCK_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self._block:
            self._write("\n".join(self._block))
            self._written_at = self._clock()
            self._block = []


class _Lines:
    """Cut a stream into lines of at most LONGEST_LINE bytes; remember the last ones."""

    def __init__(self) -> None:
        self._pending = b""
        self.last: deque[str] = deque(maxlen=KEPT_LINES)

    def take(self, content: bytes) -> list[str]:
        *lines, self._pending = (self._pending + content).split(b"\n")
        if len(self._pending) > LONGEST_LINE:
            lines, self._pending = [*lines, self._pending], b""
        return self._decoded(lines)

    def end(self) -> list[str]:
        left, self._pending = self._pending, b""
        return self._decoded([left] if left else [])

    def _decoded(self, lines: list[bytes]) -> list[str]:
        texts = [line[:LONGEST_LINE].decode("utf-8", "replace").rstrip() for line in lines]
        self.last.extend(texts)
        return texts
