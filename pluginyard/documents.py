"""The documents of a plugin as layers: which files, which media types, in which order.

Source: the table of Higress's image specification: spec.yaml, README.md, README_{LANG}.md, icon.png, archive last.
"""

from __future__ import annotations

import re

from pluginyard.plugins import EXECUTABLE, REGULAR, Document, SourceTree

SPEC = "application/vnd.module.wasm.spec.v1+yaml"
README = "application/vnd.module.wasm.doc.v1+markdown"
ICON = "application/vnd.module.wasm.icon.v1+png"
# Two letters, of either case: README_dev.md is no translation, though Higress's workflow made it one.
_TRANSLATION = re.compile(r"README_([A-Za-z]{2})\.md")


def find_documents(tree: SourceTree, folder: str) -> tuple[Document, ...]:
    """Return the documents in `folder` in the order of their layers."""
    names = {file.name: file for file in tree.below(folder) if file.path == f"{folder}/{file.name}"}
    found = [_document(name, names[name].mode) for name in names]
    ordered = sorted((rank, name, media) for rank, name, media in found if media)
    return tuple(Document(name, media, names[name]) for _, name, media in ordered)


def _document(name: str, mode: str) -> tuple[int, str, str]:
    if mode not in (REGULAR, EXECUTABLE):
        return 9, name, ""
    if name == "spec.yaml":
        return 0, name, SPEC
    if name == "README.md":
        return 1, name, README
    if translation := _TRANSLATION.fullmatch(name):
        return 2, name, f"application/vnd.module.wasm.doc.v1.{translation[1].lower()}+markdown"
    if name == "icon.png":
        return 3, name, ICON
    return 9, name, ""
