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
