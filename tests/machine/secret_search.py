"""Look for a secret: in what processes and containers are given while a command runs, and in what it leaves."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sqlite3
import tarfile
import threading
import urllib.parse
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.doors.containers import Engine


@dataclass(frozen=True)
class Secret:
    """Know every form in which a user's password could be written down."""

    username: str
    password: str

    @property
    def forms(self) -> tuple[bytes, ...]:
        """Return the password as it is, escaped for JSON and URLs, encoded, and as a Basic header has it."""
        plain, pair = self.password.encode(), f"{self.username}:{self.password}".encode()
        return (
            plain,
            json.dumps(self.password)[1:-1].encode(),
            urllib.parse.quote(self.password, safe="").encode(),
            b64encode(plain).rstrip(b"="),
            b64encode(pair).rstrip(b"="),
            plain.hex().encode(),
        )

    def is_in(self, content: bytes) -> bool:
        """Tell whether any form stands in `content`, packed as gzip or tar or not."""
        return any(form in text for text in _unpacked(content) for form in self.forms)

    def files(self, folders: Iterable[Path]) -> list[Path]:
        """Return the files below `folders` that hold it, by content or by name."""
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        return [path for path in found if self.is_in(str(path).encode()) or self.is_in(_read(path))]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a journal of a database may go at any time
        return b""


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    if content[:2] == b"\x1f\x8b":
        with contextlib.suppress(OSError, EOFError, zlib.error):
            yield from _unpacked(gzip.decompress(content))
    if content[257:262] == b"ustar":
        with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                yield from _unpacked(file.read() if file else b"")


def stored_texts(database: Path) -> bytes:
    """Return every value of every table of an SQLite database, as one text."""
    rows: list[bytes] = []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                rows += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(rows)


@dataclass
class Watch:
    """Read over and over, while a command runs, what every process and every container is given."""

    engine: Engine
    secret: Secret
    allowed: frozenset[int]
    """Processes that know the secret rightly: the command itself, and this one."""
    allowed_commands: frozenset[bytes] = frozenset()
    """Command lines that may inherit it: a fork of the command that is not another program yet has its memory."""
    found: list[str] = field(default_factory=list)
    containers: set[str] = field(default_factory=set)
    processes: set[int] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watch]:
        """Watch while the block runs."""
        watchers = [threading.Thread(target=self._repeat, args=(look,)) for look in (self._look, self._look_inside)]
        for each in watchers:
            each.start()
        try:
            yield self
        finally:
            self._over.set()
            for each in watchers:
                each.join(60)

    def _repeat(self, look: Any) -> None:
        while not self._over.is_set():
            look()

    def _look(self) -> None:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in self.allowed:
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()  # first: later it may be another program
                environment = (entry / "environ").read_bytes()
                self.processes.add(int(entry.name))
                told = command.replace(b"\0", b" ").decode(errors="replace")[:80]
                if self.secret.is_in(command):
                    self.found.append(f"cmdline of process {entry.name}: {told}")
                if command not in self.allowed_commands and self.secret.is_in(environment):
                    self.found.append(f"environ of process {entry.name}: {told}")
        self._over.wait(0.02)

    def _look_inside(self) -> None:
        from docker.errors import APIError

        for item in self.engine.client.containers(all=True):
            name = item["Names"][0]
            with contextlib.suppress(APIError):  # gone, or not running yet
                told = json.dumps(self.engine.client.inspect_container(name)).encode()
                self.containers.add(name)
                if self.secret.is_in(told):
                    self.found.append(f"docker inspect {name}")
                listed = json.dumps(self.engine.client.top(name, "-eo pid,args")).encode()
                if self.secret.is_in(listed):
                    self.found.append(f"docker top {name}")
        self._over.wait(0.05)
