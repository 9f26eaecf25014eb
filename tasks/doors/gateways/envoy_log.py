"""What a process writes, kept within bounds: a module that logs without end fills neither memory nor disk."""

from __future__ import annotations

import os
import threading

_HEAD_BOUND = 64 * 1024
_TAIL_BOUND = 192 * 1024


class BoundedLog:
    """Read the pipe `descriptor` in a thread until it ends; keep its first 64 KiB and its last 192 KiB."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="envoy-log", daemon=True)
        self._thread.start()

    def finish(self, seconds: float = 5) -> None:
        """Wait until all that the ended process wrote has been read."""
        self._thread.join(seconds)

    def text(self) -> str:
        """Return what is kept, with a line that says how many bytes were left out between."""
        with self._lock:
            gap = f"\n… {self._left_out} bytes left out …\n".encode() if self._left_out else b""
            return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")

    def _read(self) -> None:
        # The thread closes what it reads: closing it elsewhere could hand its number to another file.
        try:
            while chunk := os.read(self._descriptor, 65536):
                with self._lock:
                    self._keep(chunk)
        finally:
            os.close(self._descriptor)

    def _keep(self, chunk: bytes) -> None:
        room = _HEAD_BOUND - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        surplus = len(self._tail) - _TAIL_BOUND
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus
