"""A commit as found: its tree, paths within it, and what a compiler can read of it."""

from __future__ import annotations

from pluginyard.sources.contexts import collect_context
from pluginyard.sources.documents import find_documents
from pluginyard.sources.git_failures import GitFailure, judge_git_failure
from pluginyard.sources.paths import Read, follow_link
from pluginyard.sources.tree import EXECUTABLE, LINK, Document, Source, SourceFile, SourceTag, SourceTree, total_size

__all__ = [
    "EXECUTABLE",
    "LINK",
    "Document",
    "GitFailure",
    "Read",
    "Source",
    "SourceFile",
    "SourceTag",
    "SourceTree",
    "collect_context",
    "find_documents",
    "follow_link",
    "judge_git_failure",
    "total_size",
]
