"""A site's settings in one Prefect variable, for sites whose workers should not be configured one by one.

The variable is JSON with the fields of `Site`, such as
`{"repository": "https://github.com/acme/plugins.git", "registries": ["registry.example.com/plugins"]}`.
Everybody who reads the server reads it, so it holds no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pluginyard.errors import ConfigurationError
from pluginyard.parsing import check_model
from pluginyard.settings.site import Site, is_for_fetching

SITE_VARIABLE = "pluginyard_site"
_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]*@|https?://[^/@\s]+@")


def check_site_variable(document: object, subject: str = f"Prefect variable {SITE_VARIABLE}") -> Mapping[str, object]:
    """Return the settings in `document`; raise ConfigurationError for what is no setting, or holds a password."""
    if not isinstance(document, Mapping):
        raise ConfigurationError("not a mapping of settings", subject=subject, remedy='write JSON: {"registries": […]}')
    settings = {str(name): value for name, value in document.items()}
    check_model(Site, settings, subject=subject)
    for name in settings.get("fetch_environment", {}):
        if not is_for_fetching(name):
            raise ConfigurationError(
                f"{name} is not for fetching dependencies", subject=subject, remedy="keep mirrors and proxies only"
            )
    for name, text in _texts(settings):
        if _WITH_PASSWORD.search(text):
            raise ConfigurationError(
                f"{name} holds a user or password, and everybody can read it",
                subject=subject,
                remedy="use a registry-credentials block, or the workers' environment",
            )
    return settings


def _texts(settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield every text in `settings`, by the name of its setting."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((name, str(item)) for item in value.values())
        elif isinstance(value, list | tuple):
            yield from ((name, str(item)) for item in value)
        else:
            yield name, str(value)
