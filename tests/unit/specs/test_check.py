from __future__ import annotations

import pytest

from pluginyard.errors import SourceError
from pluginyard.specs import MAX_SPEC_BYTES, check_spec, choose_placement, judge_documents
from tests.machine.artifact_builder import GOOD_SPEC


def test_a_readable_spec_is_no_reason_to_refuse_a_release() -> None:
    check_spec(GOOD_SPEC, subject="spec.yaml")


def test_what_no_gateway_looks_at_is_told_and_does_not_hinder() -> None:
    incomplete = b"apiVersion: 1.0.0\ninfo: {name: x}\n"
    assert judge_documents(incomplete)
    check_spec(incomplete, subject="spec.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"spec: [", "line 1"),
        (b"info:\n  version: 1.0.0\n  version: 2.0.0\n", "line 3: the key 'version' stands twice"),
        (b"- a list\n", "no map"),
        (b"", "no map"),
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * (MAX_SPEC_BYTES + 1), "larger than"),
    ],
)
def test_a_spec_that_readers_cannot_agree_on_refuses_the_release(text: bytes, told: str) -> None:
    with pytest.raises(SourceError, match="S1") as refusal:
        check_spec(text, subject="plugins/x/spec.yaml")
    assert told in refusal.value.message
    assert refusal.value.subject == "plugins/x/spec.yaml"
    assert "fix spec.yaml" in refusal.value.remedy


@pytest.mark.parametrize(
    ("spec", "placement"),
    [
        ({"phase": "AUTHN", "priority": 321}, {"phase": "AUTHN", "priority": 321}),
        ({"phase": "authz", "priority": -1}, {"phase": "AUTHZ", "priority": -1}),
        ({"phase": "default", "priority": "high"}, {}),
        ({"phase": 3, "priority": True}, {}),
        ("none", {}),
    ],
)
def test_phase_and_priority_are_taken_as_far_as_a_resource_may_say_them(spec: object, placement: object) -> None:
    assert choose_placement({"spec": spec}) == placement
