"""The password of a Prefect server that listens beyond this machine: without one, anybody reads its secrets."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pluginyard.errors import ConfigurationError

VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_VARIABLE = "PREFECT_API_AUTH_STRING"
# 127.0.0.2 is loopback too, but nobody means that by accident.
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SHORTEST = 12


def find_password(host: str, file: Path, environment: Mapping[str, str]) -> str:
    """Return `user:password` for a server that listens on `host`; empty where none is needed.

    The environment's, else that of `file`, which is made once, for its owner alone. Raises ConfigurationError for one
    that is short, or that others can read: the server shows blocks' secrets to whoever knows it.
    """
    if given := environment.get(VARIABLE, ""):
        return _check(given, VARIABLE)
    if host in LOOPBACK:
        return ""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(f"admin:{secrets.token_urlsafe(24)}\n")
    if file.stat().st_mode & 0o077:
        raise ConfigurationError("others can read the password", subject=str(file), remedy=f"chmod 600 {file}")
    return _check(file.read_text().strip(), str(file))


def _check(password: str, subject: str) -> str:
    if ":" not in password or len(password.partition(":")[2]) < _SHORTEST:
        raise ConfigurationError(
            f"no user:password with at least {_SHORTEST} characters after the colon",
            subject=subject,
            remedy="choose a longer one, or unset it and let one be made",
        )
    return password
