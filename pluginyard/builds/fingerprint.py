"""The fingerprint of a plugin: a hash of everything that determines what is published, known before building.

Git's blob ids stand for the files' contents, so nothing has to be read (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pluginyard.oci.descriptors import canonical_json, digest_of
from pluginyard.releases.plugin import Plugin

FORMAT = 1
"""Raised when packing or the manifest changes, so that old results are not taken for new ones."""


def fingerprint_of(plugin: Plugin, recipe: Mapping[str, Any]) -> str:
    """Return the fingerprint of `plugin` built by `recipe` (the identity of builder and command)."""
    return digest_of(canonical_json({"format": FORMAT, "recipe": recipe, **content_of(plugin)}))


def content_of(plugin: Plugin) -> dict[str, Any]:
    """Return what of `plugin` is compiled or becomes a layer: paths, modes and git's blob ids."""
    return {
        "folder": plugin.folder,
        "context": [[file.path, file.mode, file.blob] for file in plugin.context],
        "documents": [[item.title, item.media_type, item.file.blob] for item in plugin.documents],
    }
