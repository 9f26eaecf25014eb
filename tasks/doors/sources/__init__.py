"""The door to git: pin a repository to a commit and read its objects.

Nothing is checked out: files are read as git objects, so no filter, hook or line-ending setting of this
machine runs or changes a byte (docs/decisions.md). URLs are mirrored once and fetched after that.
"""

from __future__ import annotations

from tasks.doors.sources.contexts import write_context
from tasks.doors.sources.objects import BlobReader, open_source, read_tags, read_tree
from tasks.doors.sources.repositories import FETCH_SECONDS, SourceUnavailableError, strip_credentials

__all__ = [
    "FETCH_SECONDS",
    "BlobReader",
    "SourceUnavailableError",
    "open_source",
    "read_tags",
    "read_tree",
    "strip_credentials",
    "write_context",
]
