"""What a registry keeps, read from its disk: no client's word is needed for it."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.machine.registries import RunningRegistry


@dataclass(frozen=True)
class Shelf:
    """Name a place of one test in a running registry."""

    registry: RunningRegistry
    namespace: str

    @property
    def destination(self) -> str:
        """Return the place as `--registry` wants it."""
        return f"{self.registry.host}/{self.namespace}"

    @property
    def folder(self) -> Path:
        """Return the folder of everything the registry knows of this place."""
        return self.registry.folder / "storage/docker/registry/v2/repositories" / self.namespace

    @property
    def tags(self) -> dict[str, str]:
        """Return the digest of each `name:tag`."""
        links = self.folder.glob("*/_manifests/tags/*/current/link")
        return {f"{link.parts[-6]}:{link.parts[-3]}": link.read_text() for link in links}

    @property
    def ever_tagged(self) -> dict[str, set[str]]:
        """Return every digest that each `name:tag` has ever stood for; the registry forgets none."""
        found: dict[str, set[str]] = {}
        for link in self.folder.glob("*/_manifests/tags/*/index/sha256/*/link"):
            found.setdefault(f"{link.parts[-8]}:{link.parts[-5]}", set()).add(link.read_text())
        return found

    @property
    def is_untouched(self) -> bool:
        """Tell whether nobody has ever written here: no tag, no manifest, no layer, no upload begun."""
        return not any(path.is_file() for path in self.folder.rglob("*"))

    def snapshot(self) -> dict[str, tuple[str, int]]:
        """Return content and time of change of every file the registry keeps, blobs included."""
        files = (path for path in (self.registry.folder / "storage").rglob("*") if path.is_file())
        return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def new_shelf(registry: RunningRegistry) -> Shelf:
    """Return a place in `registry` that no other test uses."""
    return Shelf(registry, f"team-{uuid.uuid4().hex[:8]}/plugins")
