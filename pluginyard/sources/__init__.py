"""A commit as found: its tree, paths within it, and what a compiler can read of it."""

from pluginyard.sources.contexts import collect_context
from pluginyard.sources.documents import find_documents
from pluginyard.sources.git_failures import GitFailure, judge_git_failure
from pluginyard.sources.paths import Read, follow_link, link_target
from pluginyard.sources.tree import (
    EXECUTABLE,
    LINK,
    REGULAR,
    Document,
    Source,
    SourceFile,
    SourceTag,
    SourceTree,
    total_size,
)
