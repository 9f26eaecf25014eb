"""What is tried again, and how long is waited before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pluginyard.oci import choose_delay, is_transient_answer, is_transient_status
from pluginyard.oci.retries import parse_retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_answers_that_say_later_are_tried_again(status: int) -> None:
    assert is_transient_status(status)


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 405, 409, 413, 416, 501, 505])
def test_answers_that_say_no_are_not_tried_again(status: int) -> None:
    assert not is_transient_status(status)


def test_what_a_registry_mixes_up_is_tried_again_by_its_code() -> None:
    assert is_transient_answer(400, ["DIGEST_INVALID"])
    assert is_transient_answer(404, ["BLOB_UPLOAD_UNKNOWN"])
    assert not is_transient_answer(400, ["MANIFEST_INVALID"])
    assert not is_transient_answer(404, ["MANIFEST_UNKNOWN"])
    assert not is_transient_answer(403, ["DIGEST_INVALID"])


def test_the_back_off_doubles_up_to_a_cap() -> None:
    delays = [choose_delay(attempt, jitter=1.0) for attempt in (1, 2, 3, 4, 50, 5000)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 30.0, 30.0]


def test_jitter_takes_up_to_half_away() -> None:
    assert choose_delay(3, jitter=0.0) == 1.0
    assert choose_delay(3, jitter=0.5) == 1.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 12:00:09 -0000", 9.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("9" * 5000, None),
        ("Thu, 01 Jan 2026 12:00:09 +99999999", None),
        ("Thu, 01 Jan 2026 12:00:09 -999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


def test_what_the_registry_asks_for_wins_up_to_a_cap() -> None:
    assert choose_delay(1, jitter=1.0, retry_after="12") == 12.0
    assert choose_delay(1, jitter=1.0, retry_after="3600") == 60.0
    assert choose_delay(1, jitter=1.0, retry_after="nonsense") == 0.5
