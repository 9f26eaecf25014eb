"""When a delivery is a replay of one that was accepted.

The id of a delivery is not signed, so who holds one signed body could send it under many; no forge sends the very same
body twice within a minute. What is older, or from before a restart, has the run's idempotency key, which is of signed
content only.

>>> is_replay(None, 10.0, 69.0), is_replay(None, 10.0, 70.0)
(True, False)
"""

from __future__ import annotations

REPLAY_SECONDS = 60.0


def is_replay(same_id: float | None, same_body: float | None, now: float) -> bool:
    """Return whether a delivery at `now` is a replay, by when its id and its body were accepted.

    In seconds of any clock; None where that was never.
    """
    return same_id is not None or (same_body is not None and now - same_body < REPLAY_SECONDS)
