"""What a step of a build prints, as blocks of lines: a log entry for each line would cost more than the build."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from pluginyard.builds import KEPT_LINES

Log = Callable[[str], None]
BLOCK_LINES = 50
BLOCK_SECONDS = 0.5
LONGEST_LINE = 8192
# A hostile build prints without end; what is logged of it ends here.
LOGGED_BYTES = 4 * 1024 * 1024


class BuildOutput:
    """Gather bytes into lines, and hand them to `write` in blocks; `clock` returns seconds."""

    def __init__(self, write: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._pending = b""
        self._block: list[str] = []
        self._written_at = float("-inf")
        self._logged = 0
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(self._last_lines)

    def feed(self, content: bytes) -> None:
        """Take the next bytes of the output."""
        *lines, self._pending = (self._pending + content).split(b"\n")
        if len(self._pending) > LONGEST_LINE:
            lines, self._pending = [*lines, self._pending], b""
        for line in lines:
            self._take(line)
        if len(self._block) >= BLOCK_LINES or self._clock() - self._written_at >= BLOCK_SECONDS:
            self._flush()

    def close(self) -> None:
        """Hand over what is left."""
        if self._pending:
            self._take(self._pending)
            self._pending = b""
        self._flush()

    def _take(self, line: bytes) -> None:
        text = line[:LONGEST_LINE].decode("utf-8", "replace").rstrip()
        self._last_lines.append(text)
        if self._logged > LOGGED_BYTES:
            return
        self._logged += len(text) + 1
        self._block.append(text if self._logged <= LOGGED_BYTES else "… more output follows, which is not logged")

    def _flush(self) -> None:
        if self._block:
            self._write("\n".join(self._block))
            self._written_at = self._clock()
            self._block = []
