"""What comes out of a build, as a stream: one regular file of bounded size, or nothing."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from pluginyard.builds import BuiltModule, Recipe, output_error
from pluginyard.oci import digest_from

OUTPUT_VARIABLE = "PLUGINYARD_OUTPUT"
# The container tells on its standard output what lies at the output's place, and sends a regular file after that line.
# Half the time of reading it as an archive afterwards, for which an engine mounts the stopped container anew.
TELL_OUTPUT = """
if [ -L "$PLUGINYARD_OUTPUT" ]; then echo "link $(readlink "$PLUGINYARD_OUTPUT")"
elif [ -d "$PLUGINYARD_OUTPUT" ]; then echo folder
elif [ ! -e "$PLUGINYARD_OUTPUT" ]; then echo nothing
elif [ ! -f "$PLUGINYARD_OUTPUT" ]; then echo other
else echo "file $(wc -c < "$PLUGINYARD_OUTPUT")" && exec cat "$PLUGINYARD_OUTPUT"
fi"""
_LONGEST_LINE = 4200


class ModuleFile:
    """Take what a build sends, block by block, into a file that gets its name once it is whole.

    What is sent is the plugin's doing: BuildError for anything but one regular file within the limit.
    """

    def __init__(self, recipe: Recipe, target: Path) -> None:
        self._recipe, self._target = recipe, target
        self._line: bytes | None = b""
        self._size, self._count, self._digest = 0, 0, hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        self._part, self._file = Path(part), os.fdopen(handle, "wb")

    def __enter__(self) -> ModuleFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with suppress(FileNotFoundError):  # it has its name
            self._part.unlink()

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self._line is not None:
            line, end, block = (self._line + block).partition(b"\n")
            if not end:
                self._line = line[:_LONGEST_LINE]
                return
            self._line = None
            self._size = self._announced(line.decode("utf-8", "replace"))
        self._count += len(block)
        if self._count > self._size:
            raise output_error(self._recipe, "grew while it was read")
        self._digest.update(block)
        self._file.write(block)

    def keep(self) -> BuiltModule:
        """Give the file its name and return the module."""
        if self._line is not None or self._count != self._size:
            raise output_error(self._recipe, "did not arrive whole")
        self._file.close()
        self._part.chmod(0o644)
        self._part.replace(self._target)
        digest = digest_from(self._digest)
        return BuiltModule(str(self._target), digest, self._size, self._recipe.toolchain, self._recipe.kind)

    def _announced(self, line: str) -> int:
        """Return how many bytes follow."""
        kind, _, rest = line.partition(" ")
        if kind == "link":
            raise output_error(self._recipe, f"is a link to {rest[:300]}")
        if kind != "file":
            raise output_error(
                self._recipe, {"folder": "is a folder", "nothing": "is missing"}.get(kind, "is no regular file")
            )
        size = int(rest) if rest.isdecimal() else -1
        if not 0 <= size <= self._recipe.limits.module_bytes:
            raise output_error(self._recipe, f"is {rest[:30]} bytes long")
        return size
