"""The password of a Prefect server that listens beyond this machine: made once, kept in a file for its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pluginyard.errors import ConfigurationError


def read_password(file: Path) -> str:
    """Return the `user:password` of `file`, which is made if it is missing.

    Raises ConfigurationError for a file that others can read: the server shows blocks' secrets to all who know it.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(f"admin:{secrets.token_urlsafe(24)}\n")
    if file.stat().st_mode & 0o077:
        raise ConfigurationError("others can read the password", subject=str(file), remedy=f"chmod 600 {file}")
    return file.read_text().strip()
