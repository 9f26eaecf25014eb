"""The door to this machine's disk: a folder per run that never outlives its run, and the store of modules.

A run holds an exclusive lock on its folder. A folder whose lock is free belongs to a run that is dead,
however it died; the next run removes it, and the containers that carry its id. A run's id begins with that of
its cache: runs of another user or machine may share the engine, and their locks cannot be seen from here.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pluginyard.oci import digest_of_file, hex_of
from tasks.doors.locks import file_lock, is_locked

DAY = 24 * 60 * 60
UNUSED_DAYS = 30


@dataclass(frozen=True)
class Workspace:
    """Name the folder of one run; `run_id` labels everything outside it that belongs to the run."""

    run_id: str
    folder: Path
    cache: Path
    _background: ThreadPoolExecutor = field(repr=False, compare=False)

    def run_in_background(self, call: Callable[[], object]) -> None:
        """Run `call` while the run goes on, one after the other; the run's end waits for it."""
        self._background.submit(call)


def cache_folder(configured: str, environment: Mapping[str, str]) -> Path:
    """Return the folder for mirrors, modules and runs: configured, else by the XDG base directory rules."""
    if configured:
        return Path(configured).expanduser()
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME", "/tmp")) / ".cache")  # noqa: S108
    return Path(base) / "pluginyard"


@contextmanager
def open_workspace(cache: Path) -> Iterator[Workspace]:
    """Make the folder of a run and remove it at the end, whatever the end is."""
    runs = cache / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    run_id = f"{_cache_id(cache)}-{os.getpid()}-{secrets.token_hex(4)}"
    folder = runs / run_id
    lock = runs / f"{run_id}.lock"
    with _locked(lock):
        try:
            folder.mkdir()
            _remove_dead_workspaces(cache)
            _remove_unused_modules(cache)
            with ThreadPoolExecutor(1, thread_name_prefix="background") as background:
                yield Workspace(run_id, folder, cache, background)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; made again where another run removed it between its making and its locking."""
    while True:
        with file_lock(path):
            if path.exists():
                yield
                return


def _cache_id(cache: Path) -> str:
    """Return the random id of this cache, made when it is first asked for."""
    path = cache / "id"
    if not path.exists():
        own = cache / f"id.{os.getpid()}-{secrets.token_hex(4)}"
        own.write_text(secrets.token_hex(6), encoding="ascii")
        with suppress(FileExistsError):  # another run of this cache was first: its id holds
            os.link(own, path)
        own.unlink()
    return path.read_text(encoding="ascii")


def is_alive(cache: Path, run_id: str) -> bool:
    """Return whether the run with this id still holds its lock; a run of another cache counts as alive."""
    if not run_id.startswith(f"{_cache_id(cache)}-"):
        return True
    return is_locked(cache / "runs" / f"{run_id}.lock")


def _remove_dead_workspaces(cache: Path) -> None:
    """Remove the folders of runs that are dead."""
    for path in (cache / "runs").glob("*.lock"):
        with suppress(TimeoutError), file_lock(path, seconds=0):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)


def _remove_unused_modules(cache: Path) -> None:
    """Remove, once a day, modules that were not used for a month, and what a killed build left half written."""
    folder, stamp = cache / "modules", cache / "modules.swept"
    now = time.time()
    if not folder.is_dir() or (stamp.exists() and now - stamp.stat().st_mtime < DAY):
        return
    stamp.touch()
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):  # another run removes too, or a build has just given it its name
            if now - entry.stat().st_mtime > (DAY if entry.name.startswith(".") else UNUSED_DAYS * DAY):
                Path(entry).unlink()


class ModuleStore:
    """Keep compiled modules by fingerprint, so that a run that is repeated does not compile again."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "modules"

    def path(self, fingerprint: str) -> Path:
        """Return where the module of `fingerprint` is kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{hex_of(fingerprint)}.wasm"

    def keep(self, fingerprint: str, digest: str) -> None:
        """Record that the module is complete, once it is in its place."""
        self.path(fingerprint).with_suffix(".digest").write_text(digest, encoding="ascii")

    def holds(self, fingerprint: str) -> bool:
        """Return whether the module is there, complete and unchanged; then it counts as used now."""
        path = self.path(fingerprint)
        record = path.with_suffix(".digest")
        try:
            for file in (record, path):  # before they are read: what is looked at is not swept
                os.utime(file)
            return record.read_text(encoding="ascii") == _digest_of(path)
        except FileNotFoundError:
            return False


def _digest_of(path: Path) -> str:
    with path.open("rb") as content:
        return digest_of_file(content)
