"""What the last runs of `verify-published` saw in a destination: the rows of one Prefect artifact, and nothing else.

A version's digest is recorded when it is seen first, and stays until another one is accepted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pluginyard.oci import Destination


@dataclass(frozen=True)
class RecordedVersion:
    """Hold what was seen of one version of one plugin in one destination."""

    plugin: str
    version: str
    digest: str
    loads: str = ""
    """Names of the gateways that load the digest, by commas."""
    faults: str = ""
    """Rules of level E that the digest breaks."""
    judged: int = 0
    """When the digest was pulled and judged: seconds since the epoch, UTC; 0: never."""
    repository: str = ""
    """Repository of the plugin, where one was read."""

    @property
    def gateways(self) -> tuple[str, ...]:
        """Return the names of the gateways that load it."""
        return tuple(self.loads.split(", ")) if self.loads else ()


@dataclass(frozen=True)
class Record:
    """Hold what was seen in one destination."""

    versions: tuple[RecordedVersion, ...] = ()

    def of(self, plugin: str) -> Mapping[str, RecordedVersion]:
        """Return what was seen of a plugin, by version."""
        return {row.version: row for row in self.versions if row.plugin == plugin}

    def plugins_of(self, repository: str) -> tuple[str, ...]:
        """Return the plugins of a repository, those that it has no more included."""
        return tuple(sorted({row.plugin for row in self.versions if row.repository == repository}))

    def with_plugin(self, plugin: str, versions: Iterable[RecordedVersion]) -> Record:
        """Return the record with the versions of one plugin replaced."""
        others = (row for row in self.versions if row.plugin != plugin)
        return Record(tuple(sorted((*others, *versions), key=lambda row: (row.plugin, row.version))))

    def rows(self) -> list[dict[str, Any]]:
        """Return the record as the table that is kept."""
        return [asdict(row) for row in self.versions]


def parse_record(rows: Any) -> Record:
    """Return the record that was kept as `rows`; what is not one of ours is passed over."""
    names = {field.name for field in fields(RecordedVersion)}
    known = (row for row in rows if isinstance(row, dict) and set(row) == names) if isinstance(rows, list) else ()
    return Record(tuple(RecordedVersion(**row) for row in known))


def record_key(place: Destination) -> str:
    """Return the artifact's key: readable, and one for each destination; Prefect allows a-z, 0-9 and -."""
    slug = re.sub(r"[^a-z0-9]+", "-", str(place).lower()).strip("-")
    return f"published-in-{slug[-60:].strip('-')}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"
