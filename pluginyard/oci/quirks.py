"""What differs from registry to registry: one table, and over it what a repository configures (`registry_settings`).

No gateway looks at any of it. All registries of a release get the same digest, so what they want must go together.

>>> choose_config_media_type(["127.0.0.1:5000"])
'application/vnd.unknown.config.v1+json'
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pluginyard.errors import ConfigurationError
from pluginyard.settings.repository import RegistrySettings, RepositorySettings

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
    credential_keys: tuple[str, ...] = ()
    """Names under which Docker keeps the credentials, besides the host itself."""


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
    return next(row for row in QUIRKS if _fits(host, row.pattern))


def choose_config_media_type(hosts: Iterable[str], settings: RepositorySettings | None = None) -> str:
    """Choose one config media type for all `hosts`, so that each of them gets the same digest.

    A host's own settings win over those for all, and these over the table. Raises ConfigurationError where two
    hosts want different ones.
    """
    known = settings or RepositorySettings()
    wanted: dict[str, str] = {}
    for host in hosts:
        own = _own(host, known).config_media_type or known.config_media_type or find_quirks(host).config_media_type
        if own:
            wanted.setdefault(own, host)
    if len(wanted) > 1:
        raise _contradiction("config media types", wanted)
    return next(iter(wanted), UNKNOWN_CONFIG)


def choose_registry_annotations(hosts: Iterable[str], settings: RepositorySettings) -> dict[str, str]:
    """Return the annotations that are configured for `hosts`, together; raise ConfigurationError for two values."""
    found: dict[str, dict[str, str]] = {}
    for host in hosts:
        for key, text in _own(host, settings).annotations.items():
            found.setdefault(key, {}).setdefault(text, host)
    for key, values in found.items():
        if len(values) > 1:
            raise _contradiction(f"values of the annotation {key}", values)
    return {key: next(iter(values)) for key, values in sorted(found.items())}


def refuse_contradictions(hosts: Collection[str], settings: RepositorySettings) -> None:
    """Raise ConfigurationError where what is configured for `hosts` cannot be one manifest."""
    choose_config_media_type(hosts, settings)
    choose_registry_annotations(hosts, settings)


def _own(host: str, settings: RepositorySettings) -> RegistrySettings:
    fitting = (own for pattern, own in settings.registry_settings.items() if _fits(host, pattern))
    return next(fitting, RegistrySettings())


def _fits(host: str, pattern: str) -> bool:
    """Tell whether `pattern` means `host`, with its port or without."""
    whole = host.lower()
    name = whole if whole.startswith("[") else whole.partition(":")[0]
    return fnmatchcase(whole, pattern.lower()) or fnmatchcase(name, pattern.lower())


def _contradiction(what: str, wanted: Mapping[str, str]) -> ConfigurationError:
    return ConfigurationError(
        f"the registries want different {what}, so their digests would differ",
        subject=", ".join(f"{host or 'the layout folder'}: {value}" for value, host in wanted.items()),
        remedy="set one for all of them in pluginyard.yaml, or publish to one after the other",
    )
