"""Decide by class what is tried again, and how long to wait: the waiting itself is the caller's.

>>> choose_delay(1, jitter=1.0), choose_delay(3, jitter=1.0), choose_delay(1, retry_after="7", jitter=0.0)
(0.5, 2.0, 7.0)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# RFC 9110 and 6585: the answers that say "later", not "never". 400, 401, 403 and 404 are not among them.
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
# Registries answer these with 400 or 404 although nothing is wrong with what was asked: our side sends content
# whose digest it has checked, so the transfer was damaged, or two clients push the same blob at the same moment
# (docker-registry 2.8 then reads a half-written link). Each is worth a new upload.
TRANSIENT_CODES = frozenset({"DIGEST_INVALID", "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "MANIFEST_BLOB_UNKNOWN"})
FIRST_SECONDS = 0.5
CAP_SECONDS = 30.0
RETRY_AFTER_CAP_SECONDS = 60.0


def is_transient_status(status: int) -> bool:
    """Return whether an HTTP status is worth another try."""
    return status in TRANSIENT_STATUSES


def is_transient_answer(status: int, codes: Iterable[str]) -> bool:
    """Return whether an answer is worth another try, by its status or by the registry's error codes."""
    return is_transient_status(status) or (status in {400, 404} and any(code in TRANSIENT_CODES for code in codes))


def choose_delay(attempt: int, *, jitter: float, retry_after: str = "", now: datetime | None = None) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (from 1).

    `retry_after` is the header's text (seconds or an HTTP date, the latter judged against `now`) and wins
    over the back-off, up to a cap: a registry may not park a run for an hour. `jitter` (0 to 1) takes up
    to half of the back-off away, so that workers which failed together do not return together.
    """
    asked = parse_retry_after(retry_after, now)
    if asked is not None:
        return min(asked, RETRY_AFTER_CAP_SECONDS)
    backoff = min(FIRST_SECONDS * 2.0 ** min(attempt - 1, 16), CAP_SECONDS)
    return backoff * (0.5 + 0.5 * jitter)


def parse_retry_after(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds a `Retry-After` header asks for, or None where it says nothing usable."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    if not text or now is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None
