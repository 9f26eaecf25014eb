"""The trusted repositories of a receiver that runs: its secrets file is read again once it changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pluginyard.errors import ConfigurationError
from pluginyard.settings import SECRETS_FILE, TrustedRepositories, load_trusted

_log = logging.getLogger(__name__)


class Trusted:
    """Hold the repositories; a secret is changed without a restart, in which a delivery would be lost."""

    def __init__(self, repositories: TrustedRepositories, environment: Mapping[str, str]) -> None:
        self._repositories, self._environment = repositories, environment
        self._path = environment.get(SECRETS_FILE, "")
        self._stamp = self._look()

    def current(self) -> TrustedRepositories:
        """Return them as the file says now; as it said before where it cannot be used."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._repositories = load_trusted(self._environment, read_file)
                _log.info("%s was read again: %d repositories", self._path, len(self._repositories))
            except ConfigurationError as error:
                _log.error("the secrets of before still hold: %s", error)
        return self._repositories

    def _look(self) -> tuple[int, ...]:
        if not self._path:
            return ()
        try:
            found = Path(self._path).stat()
        except OSError:
            return (0,)
        return found.st_mtime_ns, found.st_ino, found.st_size


def read_file(path: str) -> bytes:
    """Return the bytes of the secrets file; raise ConfigurationError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read: {error.strerror}", subject=path, remedy=f"check {SECRETS_FILE}"
        ) from None
