"""A commit's tree that exists in memory only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pluginyard.contexts import Read
from pluginyard.plugins import REGULAR, SourceFile, SourceTree


def tree_of(files: Mapping[str, str]) -> tuple[SourceTree, Read]:
    """Return the tree of `files` (text by path), and the function that reads them."""
    blobs = {path: hashlib.sha1(text.encode()).hexdigest() for path, text in files.items()}
    tree = SourceTree(SourceFile(path, REGULAR, blobs[path], len(text)) for path, text in files.items())
    return tree, lambda file: files[file.path].encode()
