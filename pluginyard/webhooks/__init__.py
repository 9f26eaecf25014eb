"""Deliveries of a forge, and the statuses it is sent."""

from __future__ import annotations

from pluginyard.webhooks.admission import Receipts, TokenBuckets
from pluginyard.webhooks.deliveries import (
    DELIVERY,
    EVENT,
    Delivery,
    IgnoredDelivery,
    RefusedDelivery,
    choose_next_key,
    judge_delivery,
)
from pluginyard.webhooks.statuses import Forge, find_forge
from pluginyard.webhooks.watch import (
    DAY,
    ENDED,
    TagWatch,
    WatchedTag,
    choose_here,
    choose_watched_tags,
    for_tag,
    is_shared,
    judge_old,
    judge_published,
    judge_run,
    merge,
)

__all__ = [
    "DAY",
    "DELIVERY",
    "ENDED",
    "EVENT",
    "Delivery",
    "Forge",
    "IgnoredDelivery",
    "Receipts",
    "RefusedDelivery",
    "TagWatch",
    "TokenBuckets",
    "WatchedTag",
    "choose_here",
    "choose_next_key",
    "choose_watched_tags",
    "find_forge",
    "for_tag",
    "is_shared",
    "judge_delivery",
    "judge_old",
    "judge_published",
    "judge_run",
    "merge",
]
