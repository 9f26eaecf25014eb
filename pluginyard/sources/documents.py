"""The documents of a plugin as layers: which files, which media types, in which order.

Source: the table of Higress's image specification: spec.yaml, README.md, README_{LANG}.md, icon.png, archive last.
"""

from __future__ import annotations

import re

from pluginyard.oci import ICON, README, SPEC
from pluginyard.sources.paths import Read, follow_link
from pluginyard.sources.tree import SUBMODULE, Document, SourceTree

# Two letters, of either case: README_dev.md is no translation, though Higress's workflow made it one.
_TRANSLATION = re.compile(r"README_([A-Za-z]{2})\.md")


def find_documents(tree: SourceTree, folder: str, read: Read) -> tuple[Document, ...]:
    """Return the documents in `folder`, in the order of their layers; raise SourceError for a link to nothing."""
    direct = (file for file in tree.below(folder) if file.path == f"{folder}/{file.name}")
    names = {file.name: file for file in direct if file.mode != SUBMODULE}
    ordered = sorted((rank, name, media) for name in names for rank, media in [_kind(name)] if media)
    return tuple(Document(name, media, follow_link(tree, names[name], read)) for _, name, media in ordered)


def _kind(name: str) -> tuple[int, str]:
    """Return the rank among the layers and the media type of the file `name`; no type where it is no document."""
    if name == "spec.yaml":
        return 0, SPEC
    if name == "README.md":
        return 1, README
    if translation := _TRANSLATION.fullmatch(name):
        return 2, f"application/vnd.module.wasm.doc.v1.{translation[1].lower()}+markdown"
    return (3, ICON) if name == "icon.png" else (9, "")
