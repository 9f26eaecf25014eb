"""The files of a build on this machine: the source goes into a folder of its own, one module comes out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from pluginyard.builds import BuiltModule, Recipe, output_error
from pluginyard.errors import SourceError
from pluginyard.oci import digest_from

BLOCK = 1024 * 1024
FOLDERS = ("src", "out", "tmp", "home", "cache", "fetched", "builder")


@contextlib.contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Give a fresh folder below `parent`, private to this user, and remove it whatever happens."""
    parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="build-", dir=parent)).resolve()
    try:
        for folder in FOLDERS:
            (root / folder).mkdir()
        yield root
    finally:
        shutil.rmtree(root, onerror=_remove_anyway)


def _remove_anyway(_: object, path: str, __: object) -> None:
    """Remove what a build made unwritable."""
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink()


def write_scripts(folder: Path, scripts: Mapping[str, bytes]) -> None:
    """Write the builder's scripts, executable."""
    for path, content in scripts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o755)


def unpack_source(context: Path, folder: Path) -> None:
    """Unpack the tar `context` into `folder`; raise SourceError for a member that would lie outside."""
    with tarfile.open(context, "r:") as archive:
        for member in archive:
            _check_inside(member)
            target = folder / member.name
            if any(parent.is_symlink() for parent in target.parents if parent != folder and folder in parent.parents):
                raise _outside(member.name)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                target.symlink_to(member.linkname)
            elif member.isreg():
                content = archive.extractfile(member)
                assert content is not None  # noqa: S101 - a regular member has content
                with target.open("xb") as file:
                    shutil.copyfileobj(content, file, BLOCK)
                target.chmod(0o755 if member.mode & 0o111 else 0o644)


def _check_inside(member: tarfile.TarInfo) -> None:
    """Refuse names and links that leave the source, without looking at what is there."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _outside(member.name)
    if member.issym():
        pointed = os.path.normpath(path.parent / member.linkname)
        if member.linkname.startswith("/") or pointed == ".." or pointed.startswith("../"):
            raise _outside(member.name)


def _outside(name: str) -> SourceError:
    return SourceError("the path leaves the repository", subject=name, remedy="move what it points to inside")


def take_module(recipe: Recipe, work: Path, target: Path) -> BuiltModule:
    """Copy the module out of `work` to `target`, whole or not at all; raise BuildError where it is none."""
    digest, size = hashlib.sha256(), 0
    with _opened_output(recipe, work) as source, _whole(target) as part, part.open("wb") as file:
        while block := source.read(BLOCK):
            digest.update(block)
            size += file.write(block)
    return BuiltModule(str(target), digest_from(digest), size, recipe.toolchain, recipe.kind)


def _opened_output(recipe: Recipe, work: Path) -> IO[bytes]:
    """Open what lies at the output's place, following no link, waiting for no pipe."""
    try:
        handle = os.open(recipe.output(str(work)), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise output_error(recipe, "is missing") from error
    except OSError as error:
        raise output_error(recipe, "is no regular file") from error
    facts = os.fstat(handle)
    if stat.S_ISREG(facts.st_mode) and facts.st_size <= recipe.limits.module_bytes:
        return os.fdopen(handle, "rb")
    os.close(handle)
    regular = stat.S_ISREG(facts.st_mode)
    raise output_error(recipe, f"is {facts.st_size} bytes long" if regular else "is no regular file")


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
