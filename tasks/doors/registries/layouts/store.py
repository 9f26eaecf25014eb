"""An OCI image layout folder on disk: regular and whole files only, one writer of the index at a time.

Source: OCI image-spec v1.1, `image-layout.md`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from pluginyard.errors import PluginyardError, RegistryError, RegistryUnavailableError
from pluginyard.oci import INDEX, MANIFEST_LIMIT, canonical_json, check_digest, hex_of
from pluginyard.parsing import load_json
from tasks.doors.registries.streams import local_failure

_MARKER = canonical_json({"imageLayoutVersion": "1.0.0"})
_INGEST = "ingest"
"""Folder of unfinished files; the name oras uses for its own."""
_STALE_SECONDS = 24 * 3600
_INDEX_LIMIT = 16 * 1024 * 1024
"""Some 50,000 entries; what is parsed may take twenty times as much memory."""


@lru_cache(maxsize=4)
def _parse_index(path: Path, stamp: tuple[int, int, int]) -> dict[str, Any]:
    """Return the index as it is since `stamp`: who asks for a thousand tags of a folder has it parsed once.

    The file is only ever replaced, by another one with another stamp. ValueError, TypeError or KeyError: it is none.
    """
    with open_regular(path) as file:
        index = load_json(file.read(_INDEX_LIMIT + 1), _INDEX_LIMIT)
    return {**index, "manifests": [entry for entry in index["manifests"] if isinstance(entry["digest"], str)]}


def open_regular(path: Path, flags: int = os.O_RDONLY) -> BufferedReader:
    """Open a regular file, following no link and waiting for no pipe; OSError where it is something else."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(handle, "rb")


@dataclass(frozen=True)
class LayoutStore:
    """Read and write the files of one layout folder."""

    folder: Path
    lock_seconds: float

    @property
    def subject(self) -> str:
        """Return the folder as messages name it."""
        return f"oci:{self.folder}"

    def blob_path(self, digest: str) -> Path:
        """Return where the blob lies, or would lie."""
        return self.folder / "blobs" / "sha256" / hex_of(check_digest(digest, self.subject))

    def prepare(self) -> None:
        """Make the folder a layout, unless it is one; raise RegistryError where it holds something else."""
        with self._translated("cannot prepare the layout folder"):
            marker = self.folder / "oci-layout"
            foreign = self.folder.exists() and self._holds_something_else()
            if foreign and not marker.exists():  # asked last: another writer may have made it a layout meanwhile
                said, remedy = "the folder is not empty and no OCI image layout", "name a new or empty folder"
                raise RegistryError(said, subject=self.subject, remedy=remedy)
            (self.folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
            (self.folder / _INGEST).mkdir(exist_ok=True)
            if not marker.exists():
                self._replace(marker, _MARKER)
            self._sweep()

    def read_index(self) -> dict[str, Any]:
        """Return the index; an empty one where the folder has none."""
        path = self.folder / "index.json"
        with self._translated("cannot read the layout's index"):
            try:
                facts = path.lstat()
            except FileNotFoundError:
                return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
            try:
                index = _parse_index(path, (facts.st_ino, facts.st_mtime_ns, facts.st_size))
                return {**index, "manifests": list(index["manifests"])}
            except (ValueError, TypeError, KeyError):
                said, remedy = "the layout's index.json is damaged", "restore it, or take another folder"
                raise RegistryError(said, subject=self.subject, remedy=remedy) from None

    def read_small_blob(self, digest: str) -> bytes:
        """Return a blob that must be a manifest; raise RegistryError where it is longer than one may be."""
        with self._translated(f"cannot read {digest}"), open_regular(self.blob_path(digest)) as file:
            content = file.read(MANIFEST_LIMIT + 1)
        if len(content) <= MANIFEST_LIMIT:
            return content
        raise RegistryError(f"{digest} is no manifest: too long", subject=self.subject, remedy="check the digest")

    def change_index(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Replace the entries of the index by what `change` makes of them, alone with them."""
        with self._locked():
            index = self.read_index()
            changed = change(list(index["manifests"]))
            if changed != index["manifests"] or not (self.folder / "index.json").exists():
                with self._translated("cannot write the layout's index"):
                    self._replace(self.folder / "index.json", canonical_json({**index, "manifests": changed}))

    @contextmanager
    def new_file(self, final: Path) -> Iterator[IO[bytes]]:
        """Write a file that appears as `final` as a whole, or not at all."""
        with (
            self._translated("cannot write to the layout folder"),
            tempfile.NamedTemporaryFile(dir=self.folder / _INGEST, delete=False) as file,
        ):
            path = Path(file.name)
            try:
                yield file.file
                file.flush()
                os.fsync(file.fileno())
                path.chmod(0o644)
                path.replace(final)
            finally:
                path.unlink(missing_ok=True)

    def _replace(self, final: Path, content: bytes) -> None:
        with self.new_file(final) as file:
            file.write(content)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self.lock_seconds
        path = self.folder / _INGEST / "lock"
        with self._translated("cannot lock the layout folder"), open_regular(path, os.O_RDONLY | os.O_CREAT) as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise RegistryUnavailableError(
                            "another process holds the layout's lock", subject=self.subject, remedy="try again later"
                        ) from None
                    time.sleep(0.01)
            yield

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except PluginyardError:
            raise
        except OSError as error:
            raise local_failure(what, self.subject, error) from error

    def _holds_something_else(self) -> bool:
        return any(path.name not in {"blobs", _INGEST} for path in self.folder.iterdir())

    def _sweep(self) -> None:
        """Remove what killed processes left unfinished."""
        for path in (self.folder / _INGEST).iterdir():
            with suppress(OSError):
                if path.name != "lock" and path.stat().st_mtime < time.time() - _STALE_SECONDS:
                    path.unlink()
