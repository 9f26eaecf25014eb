"""Passwords of a test's own, and their hashes as a registry keeps them."""

from __future__ import annotations

import ctypes
import ctypes.util
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.machine.registries import RunningRegistry, run_registry

_SALT = string.ascii_letters + string.digits


def new_password() -> str:
    """Return a password that occurs nowhere else, with the characters a shell, a URL or JSON trips over."""
    return f"s3cret-{secrets.token_hex(12)}$\"'&/"


def bcrypt_hash(password: str) -> str:
    """Return the bcrypt hash (cost 5) of a password, by the system's libcrypt."""
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = "$2b$05$" + "".join(secrets.choice(_SALT) for _ in range(22))
    found: bytes | None = library.crypt(password.encode(), salt.encode())
    if not found or not found.startswith(b"$2b$05$"):
        raise RuntimeError("this system's libcrypt knows no bcrypt")
    return found.decode()


@contextmanager
def run_registry_with_password(folder: Path, password: str) -> Iterator[RunningRegistry]:
    """Run a registry that lets in nobody but the user with that password."""
    with run_registry("basic", folder, password_hash=bcrypt_hash(password)) as registry:
        yield replace(registry, password=password)
