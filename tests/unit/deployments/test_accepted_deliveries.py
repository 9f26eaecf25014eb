from __future__ import annotations

from dataclasses import replace

from deployments.receiver.accepted_deliveries import AcceptedDeliveries
from pluginyard.webhooks import Delivery
from tests.machine.judged import PUSH, accepted

FIRST, SECOND = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
DELIVERY = accepted(PUSH)


def delivery(id: str, content: str) -> Delivery:
    return replace(DELIVERY, id=id, content=content)


def test_a_delivery_is_accepted_once_by_its_id_however_late() -> None:
    memory = AcceptedDeliveries()
    assert memory.accept(delivery(FIRST, "content"), 0.0)
    assert not memory.accept(delivery(FIRST, "content"), 0.0)
    assert not memory.accept(delivery(FIRST, "other content"), 1e6)


def test_the_same_body_under_another_id_is_a_replay_for_a_minute() -> None:
    memory = AcceptedDeliveries()
    assert memory.accept(delivery(FIRST, "content"), 100.0)
    assert not memory.accept(delivery(SECOND, "content"), 159.0)
    assert memory.accept(delivery(SECOND, "content"), 160.0)


def test_a_refused_replay_does_not_lengthen_the_minute() -> None:
    memory = AcceptedDeliveries()
    memory.accept(delivery(FIRST, "content"), 0.0)
    assert not memory.accept(delivery(SECOND, "content"), 59.0)
    assert memory.accept(delivery(SECOND, "content"), 61.0)


def test_what_started_nothing_may_come_again() -> None:
    memory = AcceptedDeliveries()
    assert memory.accept(delivery(FIRST, "content"), 0.0)
    memory.forget(delivery(FIRST, "content"))
    assert memory.accept(delivery(FIRST, "content"), 0.0)


def test_only_so_many_deliveries_are_remembered_the_newest() -> None:
    memory = AcceptedDeliveries(most=10)
    for number in range(30):
        assert memory.accept(delivery(f"id {number}", f"content {number}"), 0.0)
    assert not memory.accept(delivery("id 29", "x"), 0.0)
    assert memory.accept(delivery("id 0", "content 0"), 0.0)
