"""A commit as found: its tree, paths within it, and what a compiler can read of it."""

from pluginyard.sources.contexts import collect_context
from pluginyard.sources.documents import find_documents
from pluginyard.sources.git_failures import GitFailure, judge_git_failure, missing_object
from pluginyard.sources.git_objects import MOST_FILES, GitObject, is_id, parse_folder
from pluginyard.sources.paths import follow_link, link_target
from pluginyard.sources.revisions import choose_refspecs, choose_revisions, is_url
from pluginyard.sources.tree import (
    EXECUTABLE,
    LINK,
    REGULAR,
    Commit,
    Document,
    Source,
    SourceFile,
    SourceTag,
    SourceTree,
)
