"""Deliveries of a forge, and the statuses it is sent."""

from pluginyard.webhooks.deliveries import (
    Delivery,
    IgnoredDelivery,
    JudgedDelivery,
    RefusedDelivery,
    choose_next_key,
    judge_delivery,
)
from pluginyard.webhooks.dialect import CommitState, Forge
from pluginyard.webhooks.forges import FORGES, choose_forges
from pluginyard.webhooks.replay import is_replay
from pluginyard.webhooks.statuses import StatusApi, StatusRequest, find_status_apis, plan_status
from pluginyard.webhooks.watch import (
    DAY,
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
