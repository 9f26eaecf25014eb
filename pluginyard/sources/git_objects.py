"""Git objects as they are stored: what a commit, a tag and a folder hold, and whether they are what their ids say.

Source: "Git Objects" (Pro Git, 10.2) and gitformat-signature, gitdatamodel; the rules for names are git's fsck's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pluginyard.errors import SourceError
from pluginyard.sources.tree import EXECUTABLE, LINK, REGULAR, SUBMODULE, SourceFile

MOST_FILES = 250_000
_FOLDER = "040000"
_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z: Python and RFC 3339 know no later one
_KINDS = {0o040000: _FOLDER, 0o120000: LINK, 0o160000: SUBMODULE}
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ALGORITHMS = {40: "sha1", 64: "sha256"}


def is_id(text: str) -> bool:
    """Whether `text` is the whole id of an object."""
    return bool(_ID.fullmatch(text))


@dataclass(frozen=True)
class GitObject:
    """Hold one object: its kind (`commit`, `tree`, `blob`, `tag`), id and bytes."""

    kind: str
    id: str
    content: bytes

    @property
    def is_what_its_id_says(self) -> bool:
        """Whether the id is the hash of the object; git compares them for commits and tags only."""
        head = b"%s %d\0" % (self.kind.encode(), len(self.content))
        digest = hashlib.new(_ALGORITHMS[len(self.id)], head, usedforsecurity=False)
        digest.update(self.content)
        return digest.hexdigest() == self.id

    def field(self, name: bytes) -> bytes:
        """Return the header field `name` of a commit or tag, empty where there is none."""
        header = self.content.partition(b"\n\n")[0].split(b"\n")
        return next((line[len(name) + 1 :] for line in header if line.startswith(name + b" ")), b"")

    def link(self, name: bytes) -> str:
        """Return the id in the header field `name`; raise SourceError where there is none."""
        written = self.field(name).decode("ascii", "replace")
        if is_id(written):
            return written
        raise SourceError(f"it names no {name.decode()}", subject=f"{self.kind} {self.id}", remedy="run git fsck there")

    def seconds(self, name: bytes) -> int | None:
        """Return the time in the header field `name` (`committer`, `tagger`), None where there is no such field.

        Seconds since the epoch, UTC. Raises SourceError for a time that no calendar has.
        """
        if not (person := self.field(name)):
            return None
        written = person.rpartition(b"> ")[2].partition(b" ")[0]
        if written.isdigit() and len(written) < 20 and int(written) <= _LAST_SECOND:
            return int(written)
        shown = written[:40].decode("ascii", "backslashreplace")
        raise SourceError(
            f"its time is {shown!r}, which is no date",
            subject=f"{self.kind} {self.id}",
            remedy="make it again: git commit --amend --no-edit, or git tag --force --annotate",
        )


@dataclass(frozen=True)
class Folder:
    """Hold one folder of a commit: its files, and the id of each folder in it by path."""

    files: tuple[SourceFile, ...]
    folders: tuple[tuple[str, str], ...]


def parse_folder(tree: GitObject, path: str) -> Folder:
    """Read the tree object of the folder `path`; raise SourceError for names that git would not check out."""
    files, folders, names = [], [], set()
    prefix = f"{path}/" if path else ""
    for mode, name, identity in _entries(tree):
        if name in names or name in (b"", b".", b"..") or b"/" in name or name.lower() == b".git":
            shown = name[:80].decode("utf-8", "backslashreplace")
            raise SourceError(
                f"a folder holds {shown!r}, which git would not check out",
                subject=path or f"tree {tree.id}",
                remedy="make the commit anew with git itself",
            )
        names.add(name)
        full = prefix + name.decode("utf-8", "surrogateescape")
        if mode == _FOLDER:
            folders.append((full, identity))
        else:
            files.append(SourceFile(full, mode, identity))
    return Folder(tuple(files), tuple(folders))


def _entries(tree: GitObject) -> Iterator[tuple[str, bytes, str]]:
    """Yield mode, name and id of each entry."""
    content, width, place = tree.content, len(tree.id) // 2, 0
    try:
        while place < len(content):
            space = content.index(b" ", place, place + 8)
            end = content.index(b"\0", space) + 1
            bits = int(content[place:space], 8)
            # Old commits have further permissions; git reads one bit of them.
            plain = EXECUTABLE if bits & 0o100 else REGULAR
            mode = plain if bits & 0o170000 == 0o100000 else _KINDS[bits & 0o170000]
            place = end + width
            yield mode, content[space + 1 : end - 1], content[end:place].hex()
    except (ValueError, KeyError):
        raise SourceError("not a tree object", subject=f"tree {tree.id}", remedy="run git fsck there") from None
