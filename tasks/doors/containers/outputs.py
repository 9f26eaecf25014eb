"""Receive the module that a container sends after the line that announces it."""

from __future__ import annotations

from pluginyard.builds import LONGEST_ANNOUNCEMENT, BuiltModule, Recipe, announced_size, output_error
from tasks.doors.module_file import ModuleFile


class ModuleReceiver:
    """Take what a build sends, block by block, into `file`.

    What is sent is the plugin's doing: BuildError for anything but one regular file within the limit.
    """

    def __init__(self, recipe: Recipe, file: ModuleFile) -> None:
        self._recipe, self._file = recipe, file
        self._line = b""
        self._size: int | None = None

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self._size is None:
            line, end, block = (self._line + block).partition(b"\n")
            if not end:
                self._line = line[:LONGEST_ANNOUNCEMENT]
                return
            self._size = announced_size(self._recipe, line)
        if self._file.size + len(block) > self._size:
            raise output_error(self._recipe, "grew while it was read")
        self._file.write(block)

    def keep(self) -> BuiltModule:
        """Return the module; raise BuildError where not all of it came."""
        if self._file.size != self._size:
            raise output_error(self._recipe, "did not arrive whole")
        return self._file.keep()
