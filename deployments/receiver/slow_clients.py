"""Connections whose request does not come: they are closed after a while, and at once where others need their place.

A limit on connections alone would let a few hundred idle ones silence the receiver, and a limit for each client would
count a reverse proxy as one.
"""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.http.h11_impl import H11Protocol

_log = logging.getLogger(__name__)


def limit_waiting(seconds: float, most: int) -> type[H11Protocol]:
    """Return uvicorn's HTTP protocol with limits on whoever has not sent a whole request.

    Headers take at most `seconds` (a slow body is the application's to refuse). Of more than `most` connections that
    wait the first one is closed: what comes as fast as GitHub sends is through long before it is the first.
    """
    waiting: dict[_Waiting, asyncio.TimerHandle] = {}  # in the order of their coming

    class _Waiting(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
            super().connection_made(transport)
            waiting[self] = self.loop.call_later(seconds, self.give_up, f"no request within {seconds:g} s")
            if len(waiting) > most:
                next(iter(waiting)).give_up(f"others wait too, and this one longest of {most}")

        def handle_events(self) -> None:
            super().handle_events()
            if self.cycle is None or self not in waiting:
                return
            waiting[self].cancel()
            if not self.cycle.more_body:
                del waiting[self]

        def connection_lost(self, exc: Exception | None) -> None:
            self._leave()
            super().connection_lost(exc)

        def give_up(self, reason: str) -> None:
            self._leave()
            _log.warning("closed the connection of %s: %s", self.client[0] if self.client else "", reason)
            self.transport.abort()

        def _leave(self) -> None:
            if timer := waiting.pop(self, None):
                timer.cancel()

    return _Waiting
