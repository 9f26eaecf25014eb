"""What is configured for the registries of a release (`registry_settings`), over the table of `pluginyard.oci.quirks`.

No gateway looks at any of it. All registries of a release get the same digest, so what they want must go together.

>>> choose_config_media_type(["127.0.0.1:5000"])
'application/vnd.unknown.config.v1+json'
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pluginyard.errors import ConfigurationError
from pluginyard.oci import UNKNOWN_CONFIG, find_quirks, matches_host
from pluginyard.settings.repository import RegistrySettings, RepositorySettings


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
    fitting = (own for pattern, own in settings.registry_settings.items() if matches_host(host, pattern))
    return next(fitting, RegistrySettings())


def _contradiction(what: str, wanted: Mapping[str, str]) -> ConfigurationError:
    return ConfigurationError(
        f"the registries want different {what}, so their digests would differ",
        subject=", ".join(f"{host or 'the layout folder'}: {value}" for value, host in wanted.items()),
        remedy="set one for all of them in pluginyard.yaml, or publish to one after the other",
    )
