"""What the reader of a manifest is given, and what it says: which files of the repository a toolchain reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pluginyard.errors import SourceError
from pluginyard.sources.paths import Read, follow_link
from pluginyard.sources.tree import SourceTree

LARGEST_MANIFEST = 256 * 1024
LARGEST_SUM = 16 * LARGEST_MANIFEST
"""Bytes of all manifests that are read for one plugin: a TOML file of the largest size may take a second."""


@dataclass(frozen=True)
class LocalDependencies:
    """Name what is read besides the plugin's own folder, and what the toolchain must be given to find it."""

    packages: tuple[str, ...]
    """Of each folder: its files, without the packages nested in it."""
    whole: tuple[str, ...] = ()
    """Of each folder: everything below it."""
    files: tuple[str, ...] = ()
    """Single files; those that are not there are not missed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of both steps of the build; `{work}` is its root."""
    needs_fetch: bool = False
    """Something outside the plugin's folder must be fetched."""
    notes: tuple[str, ...] = ()
    """What people should know, and what stops nothing."""


class Manifests:
    """Read manifests of one commit for one plugin: each once, and no more than anybody writes."""

    def __init__(self, tree: SourceTree, read: Read) -> None:
        self.tree, self._read = tree, read
        self._texts: dict[str, str | None] = {}
        self._bytes = 0

    def text(self, path: str) -> str | None:
        """Return the text of the manifest at `path`, or None; raise SourceError for one that is too large."""
        if path not in self._texts:
            file = self.tree.file(path)
            content = self._read(follow_link(self.tree, file, self._read)) if file else None
            self._texts[path] = None if content is None else self._bounded(content, path)
        return self._texts[path]

    def _bounded(self, content: bytes, path: str) -> str:
        self._bytes += len(content)
        if len(content) > LARGEST_MANIFEST or self._bytes > LARGEST_SUM:
            which = "the file has" if len(content) > LARGEST_MANIFEST else "the manifests up to this one have"
            most = LARGEST_MANIFEST if len(content) > LARGEST_MANIFEST else LARGEST_SUM
            raise SourceError(f"{which} more than {most:,} bytes", subject=path, remedy="divide it into packages")
        return content.decode("utf-8", "replace")


def missing_dependency(relative: str, manifest: str, *, subject: str, wanted: str) -> SourceError:
    """Return the error for a local dependency that has no manifest."""
    return SourceError(
        f"depends on {relative}, where there is no {manifest}",
        subject=subject,
        remedy=f"commit {wanted} or fix the path",
    )
