"""The secrets file of a receiver that runs: it is read again once it changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pluginyard.errors import ConfigurationError
from pluginyard.settings import TrustedRepositories, load_trusted
from pluginyard.webhooks import Forge

_log = logging.getLogger(__name__)


class SecretsFile:
    """Hold a forge's trusted repositories; a secret is changed without a restart, in which a delivery would be lost."""

    def __init__(self, forge: Forge, environment: Mapping[str, str]) -> None:
        self.forge, self._environment = forge, environment
        self._path = environment.get(forge.variable("SECRETS_FILE"), "")
        self._stamp = self._find_stamp()
        self._repositories = self._load()

    def repositories(self) -> TrustedRepositories:
        """Return them as the file says now; as it said before where it cannot be used."""
        stamp = self._find_stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._repositories = self._load()
                _log.info("%s was read again: %d repositories", self._path, len(self._repositories))
            except ConfigurationError as error:
                _log.error("the secrets of before still hold: %s: %s", error.subject, error.message)
        return self._repositories

    def _load(self) -> TrustedRepositories:
        return load_trusted(self.forge.name, self.forge.address, self._environment, self._read)

    def _read(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            remedy = f"check {self.forge.variable('SECRETS_FILE')}"
            raise ConfigurationError(f"cannot be read: {error.strerror}", subject=path, remedy=remedy) from None

    def _find_stamp(self) -> tuple[int, ...]:
        if not self._path:
            return ()
        try:
            found = Path(self._path).stat()
        except OSError:
            return (0,)
        return found.st_mtime_ns, found.st_ino, found.st_size
