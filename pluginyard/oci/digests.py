"""Digests as OCI writes them, `sha256:<64 hex>`: put together, checked and taken apart here and nowhere else."""

from __future__ import annotations

import hashlib
import re
from io import BufferedReader
from typing import Protocol

from pluginyard.errors import RegistryError

ALGORITHM = "sha256"
"""The only one: go-containerregistry, which all gateways use, knows no other."""
DIGEST = rf"{ALGORITHM}:[0-9a-f]{{64}}"
_DIGEST = re.compile(DIGEST)


class _Hash(Protocol):
    def hexdigest(self) -> str:
        """Return the hash so far."""


def digest_from(hashed: _Hash) -> str:
    """Return the digest that a sha256 object of hashlib stands at."""
    return f"{ALGORITHM}:{hashed.hexdigest()}"


def digest_of(content: bytes) -> str:
    """Return the digest of `content`."""
    return digest_from(hashlib.sha256(content))


def digest_of_file(file: BufferedReader) -> str:
    """Return the digest of what `file` holds from here on, read in blocks."""
    return digest_from(hashlib.file_digest(file, ALGORITHM))


def hex_of(digest: str) -> str:
    """Return a digest without the name of its algorithm."""
    return digest.removeprefix(f"{ALGORITHM}:")


def is_digest(text: str) -> bool:
    """Return whether `text` is a sha256 digest."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(digest: str, subject: str) -> str:
    """Return `digest` if it is a sha256 digest; raise RegistryError otherwise: it becomes a path or address."""
    if not is_digest(digest):
        raise RegistryError(f"not a sha256 digest: {digest[:80]!r}", subject=subject, remedy="use sha256 digests")
    return digest


class HashedCount:
    """Count and hash what passes; nothing is held."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0
        """Bytes so far."""

    @property
    def digest(self) -> str:
        """Return the digest of what has passed so far."""
        return digest_from(self._hash)

    def add(self, piece: bytes) -> bytes:
        """Count and hash `piece`, and return it."""
        self._hash.update(piece)
        self.count += len(piece)
        return piece
