"""The door to git: pin a repository to a commit and read its objects.

Nothing is checked out: files are read as git objects, so no filter, hook or line-ending setting of this
machine runs or changes a byte (docs/decisions.md). URLs are mirrored once and fetched after that. GitPython reads; git
reaches remotes as a process of ours, which ends with the run.
"""

from tasks.doors.sources.fetches import SourceUnavailableError, fetches_that_end
from tasks.doors.sources.mirrors import FETCH_SECONDS
from tasks.doors.sources.objects import BlobReader, open_source, read_git_tags, read_tree
from tasks.doors.sources.releases import open_release, plan_release
