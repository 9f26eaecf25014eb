"""The deliveries that were accepted, so that a replay is refused: the newest ids and bodies."""

from __future__ import annotations

from collections import OrderedDict

from pluginyard.webhooks import Delivery, is_replay

MOST_REMEMBERED = 10_000


class AcceptedDeliveries:
    """Remember when ids and bodies were accepted, in seconds of any clock; the oldest are forgotten first."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._accepted: OrderedDict[str, float] = OrderedDict()

    def accept(self, delivery: Delivery, now: float) -> bool:
        """Remember a delivery; return False for a replay."""
        if is_replay(self._accepted.get(delivery.id), self._accepted.get(delivery.content), now):
            return False
        for key in (delivery.id, delivery.content):
            self._accepted.pop(key, None)
            self._accepted[key] = now
        while len(self._accepted) > 2 * self._most:
            self._accepted.popitem(last=False)
        return True

    def forget(self, delivery: Delivery) -> None:
        """Forget a delivery that started nothing after all, so that the forge may send it again."""
        for key in (delivery.id, delivery.content):
            self._accepted.pop(key, None)
