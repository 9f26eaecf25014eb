"""Higress: a WasmPlugin (extensions.higress.io/v1alpha1)."""

from __future__ import annotations

import yaml

from pluginyard.oci import hex_of
from pluginyard.releases import PublishedPlugin


def render(plugin: PublishedPlugin) -> str:
    """Return the WasmPlugin to apply; for OCI its `sha256` is the manifest's digest, not the module's."""
    resource = {
        "apiVersion": "extensions.higress.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": {"name": plugin.name.replace("_", "-"), "namespace": "higress-system"},
        "spec": {
            "url": f"oci://{plugin.reference}" if not plugin.reference.startswith("oci:") else plugin.reference,
            "sha256": hex_of(plugin.digest),
            **plugin.placement,
            "failStrategy": "FAIL_OPEN",
        },
    }
    text = yaml.safe_dump(resource, sort_keys=False)
    if plugin.reference.startswith("oci:"):
        return f"# a layout folder serves no gateway: copy it to a registry and put its reference here\n{text}"
    return text
