"""Tags that are too old for a watch to publish: those that are published nowhere are reported, so that none is lost.

A plain tag has no time of its own, so one that is set today on an old commit looks like history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from pluginyard.errors import PluginyardError
from pluginyard.webhooks.watch.tags import TagWatch, WatchedTag

MOST_REPORTED = 10
_REMEDY = "start publish-plugin/on-demand with it, or let the watch look further back"


def judge_old(watch: TagWatch, find_lacking: Callable[[WatchedTag], Sequence[str]]) -> TagWatch:
    """Keep those old tags that are published nowhere, the newest few of each repository; the others are counted.

    `find_lacking` returns the references that are not there; what it raises is reported, and fails nothing.
    """
    old = [tag for tag in watch.tags if tag.state == "too old"]
    judged = [found for tag in old if (found := _judge(tag, find_lacking))]
    judged.sort(key=lambda tag: (tag.repository, -tag.tagged))
    groups = groupby(judged, lambda tag: tag.repository)
    rows = [row for repository, tags in groups for row in _few(repository, list(tags))]
    others = [tag for tag in watch.tags if tag.state != "too old"]
    return TagWatch((*others, *rows), watch.older + len(old) - len(judged))


def _judge(tag: WatchedTag, find_lacking: Callable[[WatchedTag], Sequence[str]]) -> WatchedTag | None:
    try:
        lacking = find_lacking(tag)
    except PluginyardError as error:
        return replace(tag, reason=f"{tag.reason}, and could not be looked up: {error.message}")
    return replace(tag, reason=f"{tag.reason}, and not in {', '.join(lacking)}: {_REMEDY}") if lacking else None


def _few(repository: str, tags: Sequence[WatchedTag]) -> list[WatchedTag]:
    if len(tags) <= MOST_REPORTED:
        return list(tags)
    rest = f"{len(tags) - MOST_REPORTED} more like these, with older commits"
    return [*tags[:MOST_REPORTED], WatchedTag(repository, "", "too old", rest)]
