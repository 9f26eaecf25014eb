from __future__ import annotations

from pluginyard.webhooks import Receipts, TokenBuckets

FIRST, SECOND = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def test_a_client_may_send_a_burst_and_then_what_refills() -> None:
    buckets = TokenBuckets(rate=2.0, burst=3)
    assert [buckets.take("192.0.2.1", 10.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("192.0.2.1", 10.5) == 0.0
    assert buckets.take("192.0.2.1", 10.5) == 0.5


def test_a_bucket_never_holds_more_than_a_burst() -> None:
    buckets = TokenBuckets(rate=1.0, burst=2)
    buckets.take("192.0.2.1", 0.0)
    assert [buckets.take("192.0.2.1", 1e6) > 0 for _ in range(3)] == [False, False, True]


def test_asking_while_it_is_empty_does_not_lengthen_the_wait() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1)
    buckets.take("192.0.2.1", 0.0)
    assert [buckets.take("192.0.2.1", now) for now in (0.25, 0.5, 1.0)] == [0.75, 0.5, 0.0]


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1)
    assert buckets.take("192.0.2.1", 100.0) == 0.0
    assert buckets.take("192.0.2.1", 0.0) == 1.0


def test_clients_have_a_bucket_each() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1)
    assert [buckets.take(client, 0.0) for client in ("192.0.2.1", "192.0.2.2", "", "a-name")] == [0.0] * 4


def test_the_addresses_of_one_ipv6_network_share_a_bucket() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1)
    assert buckets.take("2001:db8::1", 0.0) == 0.0
    assert buckets.take("2001:db8::ffff:1", 0.0) == 1.0
    assert buckets.take("2001:db8:0:1::1", 0.0) == 0.0
    assert [buckets.take(client, 0.0) for client in ("192.0.2.1", "::ffff:192.0.2.1")] == [0.0, 1.0]


def test_many_clients_do_not_fill_the_memory_and_the_busy_one_is_kept() -> None:
    buckets = TokenBuckets(rate=0.001, burst=1, most=10)
    buckets.take("192.0.2.1", 0.0)
    for number in range(50):
        buckets.take(f"198.51.100.{number}", 0.0)
        assert buckets.take("192.0.2.1", 0.0) > 0
    assert buckets.take("198.51.100.0", 0.0) == 0.0, "forgotten"


def test_a_delivery_is_accepted_once_by_its_id_however_late() -> None:
    receipts = Receipts()
    assert receipts.take(FIRST, "content", 0.0)
    assert not receipts.take(FIRST, "content", 0.0)
    assert not receipts.take(FIRST, "other content", 1e6)


def test_the_same_body_under_another_id_is_a_replay_for_a_minute() -> None:
    receipts = Receipts()
    assert receipts.take(FIRST, "content", 100.0)
    assert not receipts.take(SECOND, "content", 159.0)
    assert receipts.take(SECOND, "content", 160.0)


def test_a_refused_replay_does_not_lengthen_the_minute() -> None:
    receipts = Receipts()
    receipts.take(FIRST, "content", 0.0)
    assert not receipts.take(SECOND, "content", 59.0)
    assert receipts.take(SECOND, "content", 61.0)


def test_what_started_nothing_may_come_again() -> None:
    receipts = Receipts()
    assert receipts.take(FIRST, "content", 0.0)
    receipts.forget(FIRST, "content")
    assert receipts.take(FIRST, "content", 0.0)


def test_only_so_many_deliveries_are_remembered_the_newest() -> None:
    receipts = Receipts(most=10)
    for number in range(30):
        assert receipts.take(f"id {number}", f"content {number}", 0.0)
    assert not receipts.take("id 29", "x", 0.0)
    assert receipts.take("id 0", "content 0", 0.0)
