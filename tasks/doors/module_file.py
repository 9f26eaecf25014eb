"""The module that a build leaves, as a file of this machine: whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from pluginyard.builds import BuiltModule, Recipe
from pluginyard.oci import digest_from


class ModuleFile:
    """Write a module block by block into a file that gets the name `target` once it is kept."""

    def __init__(self, recipe: Recipe, target: Path) -> None:
        self._recipe, self._target = recipe, target
        self._digest = hashlib.sha256()
        self.size = 0
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
        self._digest.update(block)
        self.size += self._file.write(block)

    def keep(self) -> BuiltModule:
        """Give the file its name and return the module."""
        self._file.close()
        self._part.chmod(0o644)
        self._part.replace(self._target)
        digest = digest_from(self._digest)
        return BuiltModule(str(self._target), digest, self.size, self._recipe.toolchain, self._recipe.kind)
