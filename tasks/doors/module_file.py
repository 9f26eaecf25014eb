"""The module that a build leaves, as a file of this machine: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from pluginyard.builds import BuiltModule, Recipe
from pluginyard.oci import HashedCount


class ModuleFile:
    """Write a module block by block into a file that gets the name `target` once it is kept."""

    def __init__(self, recipe: Recipe, target: Path) -> None:
        self._recipe, self._target = recipe, target
        self._written = HashedCount()
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        self._part, self._file = Path(part), os.fdopen(handle, "wb")

    def __enter__(self) -> ModuleFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with suppress(FileNotFoundError):  # it has its name
            self._part.unlink()

    def write(self, block: bytes) -> None:
        """Take the next block."""
        self._file.write(self._written.add(block))

    def keep(self) -> BuiltModule:
        """Give the file its name and return the module."""
        self._file.close()
        self._part.chmod(0o644)
        self._part.replace(self._target)
        written, recipe = self._written, self._recipe
        return BuiltModule(str(self._target), written.digest, written.count, recipe.toolchain, recipe.kind)

    @property
    def size(self) -> int:
        """Return how many bytes were written."""
        return self._written.count
