"""The objects that a cluster is given to load a plugin: one file a gateway, named as the gateway, with `render`."""

from __future__ import annotations

import importlib
import pkgutil

from pluginyard.gateways import HOSTS
from pluginyard.releases import PublishedPlugin


def render_rollouts(plugin: PublishedPlugin) -> tuple[str, ...]:
    """Return the YAML to apply for each gateway that has a file here, in the order of the gateways."""
    here = {found.name for found in pkgutil.iter_modules(__path__)}
    names = (name for gateway in HOSTS if (name := gateway.replace("-", "_")) in here)
    return tuple(importlib.import_module(f"{__name__}.{name}").render(plugin) for name in names)
