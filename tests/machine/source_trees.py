"""A commit that exists in memory only."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pluginyard.sources import LINK, Source, SourceFile, SourceTree
from pluginyard.sources.tree import REGULAR

SOURCE = Source("https://example.com/plugins.git", "/nowhere", "0123456789abcdef" * 2 + "01234567", 1720411200)


@dataclass(frozen=True)
class MemoryCommit:
    """Hold a commit as the door to git gives one."""

    source: Source
    tree: SourceTree
    contents: Mapping[str, bytes]

    def read(self, file: SourceFile) -> bytes:
        """Return the content of `file`."""
        return self.contents[file.path]


def commit_of(files: Mapping[str, str | bytes], links: Collection[str] = (), source: Source = SOURCE) -> MemoryCommit:
    """Return the commit of `files` (text or bytes by path); `links` are links to their text."""
    contents = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    tree = SourceTree(
        SourceFile(path, LINK if path in links else REGULAR, hashlib.sha1(content).hexdigest())
        for path, content in contents.items()
    )
    return MemoryCommit(source, tree, contents)
