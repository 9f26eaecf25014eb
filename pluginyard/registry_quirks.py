"""What differs from registry to registry, as one table; no gateway looks at any of it.

>>> choose_config_media_type(["127.0.0.1:5000"])
'application/vnd.unknown.config.v1+json'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pluginyard.errors import ConfigurationError

UNKNOWN_CONFIG = "application/vnd.unknown.config.v1+json"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class RegistryQuirks:
    """Say what is special about the registries whose host matches `pattern`."""

    pattern: str
    config_media_type: str = UNKNOWN_CONFIG
    api_host: str = ""
    """Host that answers the API where it is not the one in the reference."""
    credential_keys: tuple[str, ...] = ()
    """Names under which Docker keeps the credentials, besides the host itself."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Manifest annotations the registry wants."""


# First match wins; the last row is everyone else. UNKNOWN_CONFIG is what oras 1.0.0 wrote and what
# every published Higress plugin has; Aliyun, Docker Hub, ECR and Quay are reported to refuse EMPTY_CONFIG.
QUIRKS = (
    RegistryQuirks("docker.io", api_host="registry-1.docker.io", credential_keys=("https://index.docker.io/v1/",)),
    RegistryQuirks("quay.io", config_media_type=IMAGE_CONFIG),  # refuses unlisted types: solo-io/wasm#264
    RegistryQuirks("*"),
)

# The codes with which a 404 says "there is no such manifest or repository" (distribution-spec v1.1,
# "Error codes"); Harbor says NOT_FOUND. Any other 404 may come from something that is no registry.
ABSENT_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})


def find_quirks(host: str) -> RegistryQuirks:
    """Return the row of the table for `host` (its port does not matter)."""
    name = host.lower() if host.startswith("[") else host.lower().partition(":")[0]
    return next(row for row in QUIRKS if row.pattern == "*" or fnmatchcase(name, row.pattern))


def choose_config_media_type(hosts: Iterable[str], configured: Mapping[str, str] | None = None) -> str:
    """Choose one config media type for all `hosts`, so that each of them gets the same digest.

    `configured` maps host patterns to media types and wins over the table. Where one registry wants an
    image's configuration all get it: it is the type that every registry must accept. Raises
    ConfigurationError where the configured types contradict each other.
    """
    wanted = {_config_media_type(host, configured or {}) for host in hosts} or {UNKNOWN_CONFIG}
    if len(wanted) > 1:
        wanted -= {UNKNOWN_CONFIG}
    if len(wanted) > 1:
        raise ConfigurationError(
            "the registries are configured to different config media types, so their digests would differ",
            subject=", ".join(sorted(wanted)),
            remedy=f"configure {IMAGE_CONFIG} for all of them, or publish to one after the other",
        )
    return wanted.pop()


def choose_registry_annotations(hosts: Iterable[str]) -> dict[str, str]:
    """Return the manifest annotations that the registries of `hosts` want, together."""
    return {key: text for host in hosts for key, text in sorted(find_quirks(host).annotations.items())}


def _config_media_type(host: str, configured: Mapping[str, str]) -> str:
    for pattern, media_type in configured.items():
        if fnmatchcase(host.lower(), pattern.lower()):
            return media_type
    return find_quirks(host).config_media_type
