"""The door to git: pin a repository to a commit and read its objects.

Nothing is checked out: files are read as git objects, so no filter, hook or line-ending setting of this
machine runs or changes a byte (docs/decisions.md). URLs are mirrored once and fetched after that, by a git that ends
with the run.
"""

from tasks.doors.sources.fetches import fetches_that_end
from tasks.doors.sources.mirrors import FETCH_SECONDS
from tasks.doors.sources.objects import CommitReader, open_source, read_git_tags
from tasks.doors.sources.releases import open_release, plan_release, read_context, size_of_context
