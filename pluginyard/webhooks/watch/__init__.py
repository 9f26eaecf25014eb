"""Release tags of repositories that no webhook reports."""

from pluginyard.webhooks.watch.locations import locate_tags
from pluginyard.webhooks.watch.old_tags import judge_old
from pluginyard.webhooks.watch.tags import (
    DAY,
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
