"""Release tags of repositories that no webhook reports."""

from __future__ import annotations

from pluginyard.webhooks.watch.old_tags import judge_old
from pluginyard.webhooks.watch.tags import (
    DAY,
    ENDED,
    TagWatch,
    WatchedTag,
    choose_here,
    choose_watched_tags,
    for_tag,
    is_shared,
    judge_published,
    judge_run,
    merge,
)

__all__ = [
    "DAY",
    "ENDED",
    "TagWatch",
    "WatchedTag",
    "choose_here",
    "choose_watched_tags",
    "for_tag",
    "is_shared",
    "judge_old",
    "judge_published",
    "judge_run",
    "merge",
]
