"""The fingerprint of a plugin: a hash of everything that determines what is published, known before building.

Git's blob ids stand for the files' contents, so nothing has to be read (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pluginyard.oci import canonical_json, digest_of
from pluginyard.sources import Document, SourceFile

FORMAT = 1
"""Raised when packing or the manifest changes, so that old results are not taken for new ones."""


def fingerprint_of(
    folder: str, context: Iterable[SourceFile], documents: Iterable[Document], recipe: Mapping[str, Any]
) -> str:
    """Return the fingerprint of the plugin in `folder` built by `recipe` (the identity of builder and command).

    Hashed of `context`, what is compiled, and of `documents`, what becomes a layer: paths, modes and git's blob ids.
    """
    content = {
        "format": FORMAT,
        "recipe": recipe,
        "folder": folder,
        "context": [[file.path, file.mode, file.blob] for file in context],
        "documents": [[item.title, item.media_type, item.file.blob] for item in documents],
    }
    return digest_of(canonical_json(content))
