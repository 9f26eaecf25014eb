"""What a process writes, kept within bounds: a module that logs without end fills neither memory nor disk."""

from __future__ import annotations

import subprocess
import threading
from types import TracebackType
from typing import IO

_HEAD_BOUND = 64 * 1024
_TAIL_BOUND = 192 * 1024


class BoundedLog:
    """Read the error stream of `process` in a thread; keep its first 64 KiB and its last 192 KiB."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None  # noqa: S101
        self._stream: IO[bytes] = process.stderr
        self._process = process
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="envoy-log", daemon=True)

    def __enter__(self) -> BoundedLog:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The stream ends with the process; it is killed here so that the reader cannot wait for ever.
        self._process.kill()
        self.finish()
        self._stream.close()

    def finish(self, seconds: float = 5) -> None:
        """Wait until all that an ended process wrote has been read."""
        self._thread.join(seconds)

    def text(self) -> str:
        """Return what is kept, with a line that says how many bytes were left out between."""
        with self._lock:
            gap = f"\n… {self._left_out} bytes left out …\n".encode() if self._left_out else b""
            return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")

    def _read(self) -> None:
        while chunk := self._stream.read1(65536):  # type: ignore[attr-defined]
            with self._lock:
                self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        room = _HEAD_BOUND - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        surplus = len(self._tail) - _TAIL_BOUND
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus
