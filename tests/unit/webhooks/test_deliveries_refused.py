from __future__ import annotations

import pytest

from pluginyard.webhooks import RefusedDelivery, deliveries, judge_delivery
from tests.machine.github import SECRET, sent, sign, tag_event
from tests.machine.judged import COMMIT, GITHUB, ORG_SECRET, PUSH, REPOSITORIES, judge, trusted
from tests.machine.refused import BODY, MALFORMED, UNBELIEVED, WRONG_BODIES, WRONG_HEADERS, WRONG_NAMES


@pytest.mark.parametrize("name", UNBELIEVED)
def test_what_its_secret_has_not_signed_is_not_believed(name: str) -> None:
    judged = judge(PUSH, **UNBELIEVED[name])
    assert isinstance(judged, RefusedDelivery), judged
    assert (judged.status, judged.signed) == (401, False)


def test_one_changed_byte_of_the_body_breaks_the_signature() -> None:
    headers = {name.lower(): value for name, value in PUSH.headers.items()}
    for place in (BODY.index(b"1.2.3"), len(BODY) - 2, BODY.index(COMMIT.encode())):
        forged = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert isinstance(judge_delivery(GITHUB, headers, forged, REPOSITORIES), RefusedDelivery)


def test_a_repository_nobody_trusts_is_answered_like_a_wrong_secret() -> None:
    stranger = tag_event("push-tag-created", repository={"full_name": "mallory/plugins"})
    first, second = judge(sent("push", stranger)), judge(PUSH, x_hub_signature_256=sign(BODY, ORG_SECRET))
    assert isinstance(first, RefusedDelivery)
    assert isinstance(second, RefusedDelivery)
    assert (first.status, first.signed) == (second.status, second.signed) == (401, False)


def test_the_secret_of_nobody_opens_nothing() -> None:
    stranger = tag_event("push-tag-created", repository={"full_name": "mallory/plugins"})
    judged = judge(sent("push", stranger, deliveries._SECRET_OF_NONE))
    assert isinstance(judged, RefusedDelivery)
    assert judged.status == 401


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_repository_whose_name_is_none_is_refused_whoever_signs(name: str) -> None:
    anyone = {"*": trusted(SECRET), "octocoders/*": trusted(SECRET)}
    delivery = WRONG_NAMES[name]
    headers = {key.lower(): value for key, value in delivery.headers.items()}
    assert isinstance(judge_delivery(GITHUB, headers, delivery.body, anyone), RefusedDelivery)


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_a_body_that_is_no_object_is_refused_even_if_signed(name: str) -> None:
    judged = judge(WRONG_BODIES[name])
    assert isinstance(judged, RefusedDelivery)
    assert (judged.status, judged.signed) == (400, False)


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_headers_that_github_does_not_send_are_refused(name: str) -> None:
    judged = judge(PUSH, **WRONG_HEADERS[name])
    assert isinstance(judged, RefusedDelivery)
    assert (judged.status, judged.signed) == (400, False)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_signed_but_malformed_is_refused_with_a_reason(name: str) -> None:
    judged = judge(MALFORMED[name])
    assert isinstance(judged, RefusedDelivery), judged
    assert (judged.status, judged.signed) == (422, True)
    assert judged.reason


def test_a_fault_of_the_judge_is_a_refusal_that_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError(SECRET)

    monkeypatch.setattr(deliveries, "read_event", fail)
    judged = judge(PUSH)
    assert isinstance(judged, RefusedDelivery)
    assert (judged.status, judged.signed) == (400, False)
    assert "ArithmeticError in fail, line " in judged.reason
    assert SECRET not in judged.reason


def test_no_secret_is_in_what_is_shown_of_a_verdict() -> None:
    shown = [repr(judge(PUSH)), repr(judge(PUSH, x_hub_signature_256=None)), repr(REPOSITORIES), str(REPOSITORIES)]
    assert not [text for text in shown if SECRET in text or ORG_SECRET in text]
