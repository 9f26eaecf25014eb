"""The files of a build on this machine: its work goes into a folder of its own, one module comes out."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from pluginyard.builds import MODULE_BYTES, BuiltModule, Recipe, WorkFile, output_error
from tasks.doors.module_file import ModuleFile

BLOCK = 1024 * 1024


@contextlib.contextmanager
def work_folder(parent: Path, work: Iterable[WorkFile]) -> Iterator[Path]:
    """Write `work` into a fresh folder below `parent`, private to this user, and remove it whatever happens."""
    parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="build-", dir=parent)).resolve()
    try:
        for item in work:
            _write(item, root / item.path)
        yield root
    finally:
        shutil.rmtree(root, onerror=_remove_anyway)


def _write(item: WorkFile, path: Path) -> None:
    if item.kind == "folder":
        path.mkdir()
    elif item.kind == "link":
        os.symlink(item.content, os.fsencode(path))  # noqa: PTH211 - bytes, as git has them
    else:
        path.write_bytes(item.content)
        path.chmod(item.mode)


def _remove_anyway(_: object, path: str, __: object) -> None:
    """Remove what a build made unwritable."""
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink()


def take_module(recipe: Recipe, work: Path, target: Path) -> BuiltModule:
    """Copy the module out of `work` to `target`, whole or not at all; raise BuildError where it is none."""
    with _opened_output(recipe, work) as source, ModuleFile(recipe, target) as module:
        while block := source.read(BLOCK):
            module.write(block)
        return module.keep()


def _opened_output(recipe: Recipe, work: Path) -> IO[bytes]:
    """Open what lies at the output's place, following no link, waiting for no pipe."""
    try:
        handle = os.open(recipe.output(str(work)), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise output_error(recipe, "is missing") from error
    except OSError as error:
        raise output_error(recipe, "is no regular file") from error
    facts = os.fstat(handle)
    if stat.S_ISREG(facts.st_mode) and facts.st_size <= MODULE_BYTES:
        return os.fdopen(handle, "rb")
    os.close(handle)
    regular = stat.S_ISREG(facts.st_mode)
    raise output_error(recipe, f"is {facts.st_size} bytes long" if regular else "is no regular file")
