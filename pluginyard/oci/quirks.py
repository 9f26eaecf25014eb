"""What differs from registry to registry: one row a host; what a repository configures over it is in its settings."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

UNKNOWN_CONFIG = "application/vnd.unknown.config.v1+json"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class RegistryQuirks:
    """Say what is special about the registries whose host matches `pattern`."""

    pattern: str
    config_media_type: str = ""
    """What the registry insists on; empty: it takes what every published plugin has."""
    api_host: str = ""
    """Host that answers the API where it is not the one in the reference."""


# First match wins; the last row is everyone else. UNKNOWN_CONFIG is what oras 1.0.0 wrote and what
# every published Higress plugin has; Aliyun, Docker Hub, ECR and Quay are reported to refuse EMPTY_CONFIG.
QUIRKS = (
    RegistryQuirks("docker.io", api_host="registry-1.docker.io"),
    RegistryQuirks("quay.io", config_media_type=IMAGE_CONFIG),  # refuses unlisted types: solo-io/wasm#264
    RegistryQuirks("*"),
)

# The codes that say "there is no such manifest or repository", whatever the status (distribution-spec v1.1, "Error
# Codes"); Harbor says NOT_FOUND.
ABSENT_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})


def find_quirks(host: str) -> RegistryQuirks:
    """Return the row of the table for `host` (its port does not matter)."""
    return next(row for row in QUIRKS if matches_host(host, row.pattern))


def matches_host(host: str, pattern: str) -> bool:
    """Return whether `pattern` means `host`, with its port or without."""
    whole = host.lower()
    name = whole if whole.startswith("[") else whole.partition(":")[0]
    return fnmatchcase(whole, pattern.lower()) or fnmatchcase(name, pattern.lower())
