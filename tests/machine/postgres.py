"""A private PostgreSQL on loopback, from Debian's package: its own data folder, port, user and password."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.machine.debian import MissingPackageError, ensure_debian_package, find_binary
from tests.machine.loopback import free_port

START_SECONDS = 60
# Debian keeps the server's programs by version, away from PATH.
_FOLDERS = Path("/usr/lib/postgresql")
_USER = "prefect"


@dataclass(frozen=True)
class Postgres:
    """Say where a database server listens and how it is entered."""

    port: int
    password: str

    @property
    def settings(self) -> dict[str, str]:
        """Return what a Prefect server is told, in the names of deployments/compose.yaml."""
        return {
            "PREFECT_SERVER_DATABASE_DRIVER": "postgresql+asyncpg",
            "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
            "PREFECT_SERVER_DATABASE_PORT": str(self.port),
            "PREFECT_SERVER_DATABASE_USER": _USER,
            "PREFECT_SERVER_DATABASE_NAME": "postgres",
            "PREFECT_SERVER_DATABASE_PASSWORD": self.password,
        }


def ensure_postgres() -> Path:
    """Return the folder of the server's programs, installing Debian's package if needed; raise MissingPackageError."""
    if not (found := _find_programs()):
        # The package makes and starts a database of its own where its tools are; ours needs neither.
        ensure_debian_package("pg_ctlcluster", "postgresql")
        found = _find_programs()
    if not found:
        raise MissingPackageError("pg_ctlcluster is here, and no server: install the package postgresql")
    return found


def _find_programs() -> Path | None:
    versions = sorted(_FOLDERS.glob("*/bin/initdb"), key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0))
    on_path = find_binary("initdb")
    return versions[-1].parent if versions else Path(on_path).resolve().parent if on_path else None


@contextlib.contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Run a database server of its own with a new, empty database; it is ended and removed after."""
    programs = ensure_postgres()
    account = _account()
    # Not below the folder of the test: only its owner can look into that, and the server does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="pluginyard-postgres-"))
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield from _serve(programs, folder, account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(programs: Path, folder: Path, account: pwd.struct_passwd | None) -> Iterator[Postgres]:
    found = Postgres(free_port(), secrets.token_hex(16))
    # Its own folder: what it is started in may be closed to the account.
    own = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    password = folder / "password"
    password.write_text(found.password)
    data, log = folder / "data", folder / "log"
    made = [str(programs / "initdb"), "-D", str(data), "-U", _USER, "--auth=scram-sha-256", f"--pwfile={password}"]
    if account:
        os.chown(password, account.pw_uid, account.pw_gid)
    subprocess.run([*made, "--encoding=UTF8"], cwd=folder, check=True, capture_output=True, **own)  # type: ignore[call-overload]
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(found.port), "-k", str(folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [*command, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **own,
        )
        try:
            _await(process, programs, found.port, log)
            yield found
        finally:
            process.send_signal(signal.SIGINT)  # "fast": clients are cut off, the database is closed in order
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(timeout=30)


def _account() -> pwd.struct_passwd | None:
    """Return whom to run as where we are root, which the server refuses to be; else None."""
    if os.geteuid():
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _await(process: subprocess.Popen[bytes], programs: Path, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", _USER]
    while time.monotonic() < deadline and process.poll() is None:
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")
