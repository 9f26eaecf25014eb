"""A commit's tree that exists in memory only."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from pluginyard.sources import LINK, Read, SourceFile, SourceTree
from pluginyard.sources.tree import REGULAR


def tree_of(files: Mapping[str, str], links: Collection[str] = ()) -> tuple[SourceTree, Read]:
    """Return the tree of `files` (text by path), and the function that reads them; `links` are links to their text."""
    blobs = {path: hashlib.sha1(text.encode()).hexdigest() for path, text in files.items()}
    tree = SourceTree(SourceFile(path, LINK if path in links else REGULAR, blobs[path]) for path in files)
    return tree, lambda file: files[file.path].encode()
