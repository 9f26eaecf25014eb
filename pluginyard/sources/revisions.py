"""What a person may name: the address or folder of a repository, and a tag, a branch or a commit of it."""

from __future__ import annotations

import re

from pluginyard.errors import SourceError

_URL = re.compile(r"(?:https?|ssh|git|file)://|[^/\s]+@[^/\s:]+:")
_MIRRORED = (
    "+refs/heads/*:refs/heads/*",
    "+refs/tags/*:refs/tags/*",
    # The mirror's HEAD is what this brings, so a default branch that changes is followed in the same round trip.
    # A pattern may bring nothing: not every repository has a HEAD that leads somewhere.
    "+HEAD*:refs/pluginyard/HEAD*",
)


def is_url(repository: str) -> bool:
    """Whether `repository` is an address to fetch from; else it is a folder."""
    return bool(_URL.match(repository))


def choose_revisions(tag: str, ref: str) -> tuple[str, ...]:
    """Return what git is asked for, the first that it knows counts: HEAD where neither is named.

    A branch that only the remote of a clone has is found too. Raises SourceError for what would be an option of git.
    """
    if tag:
        return (f"refs/tags/{tag}",)
    if ref.startswith("-"):
        raise SourceError("a ref does not begin with -", subject=ref, remedy="name a tag, branch or commit")
    return (ref, f"refs/heads/{ref}", f"refs/remotes/origin/{ref}") if ref else ("HEAD",)


def choose_refspecs(ref: str) -> tuple[str, ...]:
    """Return what is fetched into a mirror: branches, tags and HEAD; `ref` too where it is a full name beside those."""
    further = ref.startswith("refs/") and not ref.startswith(("refs/heads/", "refs/tags/"))
    return (*_MIRRORED, f"+{ref}:{ref}") if further else _MIRRORED
