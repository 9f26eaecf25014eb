"""The idempotency keys and labels of a tag's run: webhook and watch share them, so one tag is one run.

>>> release_key("git@github.com:Acme/plugins.git", "wasm-go-a-v1.0.0")
'release:acme/plugins:wasm-go-a-v1.0.0'
"""

from __future__ import annotations

import re

COMMIT_LABEL = "github.commit"
"""Of a run: the commit it was started for, as far as its forge or watch knew it."""
ASKED_BY_LABEL = "pluginyard.asked-by"
"""Of a run: what only the call that made it knows, so that each of several that ask for one run learns whose it is."""
UNSUCCESSFUL = ("FAILED", "CRASHED", "CANCELLED")
"""Types of Prefect's states in which a run ends without having done its work."""
_HOSTED = re.compile(r"(?:\w+://(?:[^/@]*@)?[^/]+/|[^/@\s]+@[^/:]+:)/*(?P<name>[^/]+/[^/]+?)(?:\.git)?/*")


def release_key(address: str, tag: str, commit: str = "") -> str:
    """Return the key of the run for `tag` of the repository that is cloned from `address`.

    The key without a commit is asked for first; where its run stands for another commit, the one with it.
    """
    return ":".join(part for part in ("release", name_repository(address), tag, commit) if part)


def name_repository(address: str) -> str:
    """Return `owner/name` in lower case where a host's address ends so: over SSH as over HTTPS; else the address."""
    hosted = _HOSTED.fullmatch(address)
    return hosted["name"].lower() if hosted else address.rstrip("/").removesuffix(".git")


def stands_for(recorded: str, commit: str, *, failed: bool) -> bool:
    """Return whether the run of a tag's key, started for the commit `recorded`, stands for the tag at `commit`.

    Where it knew none (only a push and a watch do), one that failed is taken for another commit's: a tag is set
    again after a build that failed. Safe where that is wrong: publishing a release twice gives one artifact.
    """
    return recorded == commit if recorded else not failed
