"""The idempotency keys of a tag's run: webhook and watch share them, so one tag is one run, whoever asks first.

>>> release_key("git@github.com:Acme/plugins.git", "wasm-go-a-v1.0.0")
'release:acme/plugins:wasm-go-a-v1.0.0'
"""

from __future__ import annotations

import re

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
    """Tell whether the run of a tag's key stands for the tag at `commit`; `recorded` is the commit it was started for.

    Where it knew none (only a push and a watch do), one that failed is taken for another commit's: a tag is set
    again after a build that failed. Safe where that is wrong: publishing a release twice gives one artifact.
    """
    return recorded == commit if recorded else not failed
