"""Deliveries of a forge, and the statuses it is sent."""

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
    locate_tags,
    merge,
)
