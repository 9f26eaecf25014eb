"""Whom the receiver listens to: so many requests a client, and every delivery once. The clock is the caller's.

>>> buckets = TokenBuckets(rate=1.0, burst=2)
>>> [buckets.take("192.0.2.1", now) for now in (0.0, 0.0, 0.25, 1.0)]
[0.0, 0.0, 0.75, 0.0]
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

MOST_REMEMBERED = 10_000
REPLAY_SECONDS = 60.0


class TokenBuckets:
    """Give every client a bucket of `burst` requests that refills with `rate` a second."""

    def __init__(self, rate: float, burst: int, most: int = MOST_REMEMBERED) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float) -> float:
        """Take one request of `client` at `now` (seconds of any clock); return 0, or the seconds to wait.

        The longest idle client is forgotten first, so that many addresses cannot fill the memory.
        """
        client = _network(client)
        left, since = self._buckets.pop(client, (float(self._burst), now))
        left = min(float(self._burst), left + max(0.0, now - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[client] = (left if wait else left - 1, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait


class Receipts:
    """Remember the deliveries that were accepted: the newest ids, and for a minute their bodies.

    The id is not signed, so who holds one signed body could send it under many; nobody asks for the very same
    twice within a minute. What is older, or from before a restart, meets the run's idempotency key, which is of
    signed content only.
    """

    def __init__(self, most: int = MOST_REMEMBERED, seconds: float = REPLAY_SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._seen: OrderedDict[str, float] = OrderedDict()

    def take(self, delivery: str, content: str, now: float) -> bool:
        """Remember a delivery and its body; return False if either was there before."""
        if delivery in self._seen or now - self._seen.get(content, -self._seconds) < self._seconds:
            return False
        for key in (delivery, content):
            self._seen.pop(key, None)
            self._seen[key] = now
        while len(self._seen) > 2 * self._most:
            self._seen.popitem(last=False)
        return True

    def forget(self, delivery: str, content: str) -> None:
        """Forget a delivery that started nothing after all, so that GitHub may send it again."""
        for key in (delivery, content):
            self._seen.pop(key, None)


def _network(client: str) -> str:
    """Return the client's address, for IPv6 its /64: whoever has one address there has them all."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
