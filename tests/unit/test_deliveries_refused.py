from __future__ import annotations

import json
from typing import Any

import pytest

from pluginyard import deliveries
from pluginyard.deliveries import Refusal, judge_delivery
from tests.machine.github import SECRET, Sent, call, sent, sign, tag_event
from tests.machine.judged import (
    COMMIT,
    ORG_SECRET,
    PUSH,
    REPOSITORIES,
    judge,
    trusted,
)

BODY, SIGNED = PUSH.body, PUSH.headers["X-Hub-Signature-256"]
UNBELIEVED = {
    "no signature": {"x_hub_signature_256": None},
    "an empty signature": {"x_hub_signature_256": ""},
    "only the prefix": {"x_hub_signature_256": "sha256="},
    "no prefix": {"x_hub_signature_256": SIGNED.removeprefix("sha256=")},
    "another prefix": {"x_hub_signature_256": SIGNED.replace("sha256", "sha1")},
    "a cut signature": {"x_hub_signature_256": SIGNED[:-1]},
    "a longer signature": {"x_hub_signature_256": f"{SIGNED}0"},
    "a line after the signature": {"x_hub_signature_256": f"{SIGNED}\n"},
    "upper-case digits": {"x_hub_signature_256": f"sha256={SIGNED.removeprefix('sha256=').upper()}"},
    "letters beyond ASCII": {"x_hub_signature_256": f"sha256={'é' * 64}"},
    "Arabic digits": {"x_hub_signature_256": f"sha256={'٣' * 64}"},
    "two signatures": {"x_hub_signature_256": f"{SIGNED}, {SIGNED}"},
    "one digit wrong": {"x_hub_signature_256": SIGNED[:-1] + ("0" if SIGNED[-1] != "0" else "1")},
    "the old SHA-1 header alone": {"x_hub_signature_256": None, "x_hub_signature": f"sha1={'0' * 40}"},
    "signed with nothing": {"x_hub_signature_256": sign(BODY, "")},
    "signed with another repository's secret": {"x_hub_signature_256": sign(BODY, ORG_SECRET)},
    "signed with a secret with a blank": {"x_hub_signature_256": sign(BODY, f"{SECRET} ")},
    "the signature of another body": {"x_hub_signature_256": sign(BODY + b" ")},
    "the signature of the body written anew": {
        "x_hub_signature_256": sign(json.dumps(json.loads(BODY), indent=1).encode())
    },
}


@pytest.mark.parametrize("name", UNBELIEVED)
def test_what_its_secret_has_not_signed_is_not_believed(name: str) -> None:
    judged = judge(PUSH, **UNBELIEVED[name])
    assert isinstance(judged, Refusal), judged
    assert (judged.status, judged.signed) == (401, False)


def test_one_changed_byte_of_the_body_breaks_the_signature() -> None:
    headers = {name.lower(): value for name, value in PUSH.headers.items()}
    for place in (BODY.index(b"1.2.3"), len(BODY) - 2, BODY.index(COMMIT.encode())):
        forged = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert isinstance(judge_delivery(headers, forged, REPOSITORIES), Refusal)


def test_a_repository_nobody_trusts_is_answered_like_a_wrong_secret() -> None:
    stranger = tag_event("push-tag-created", repository={"full_name": "mallory/plugins"})
    first, second = judge(sent("push", stranger)), judge(PUSH, x_hub_signature_256=sign(BODY, ORG_SECRET))
    assert isinstance(first, Refusal)
    assert isinstance(second, Refusal)
    assert (first.status, first.signed) == (second.status, second.signed) == (401, False)


def test_the_secret_of_nobody_opens_nothing() -> None:
    stranger = tag_event("push-tag-created", repository={"full_name": "mallory/plugins"})
    judged = judge(sent("push", stranger, deliveries._NOBODY))
    assert isinstance(judged, Refusal)
    assert judged.status == 401


WRONG_NAMES = [
    "",
    "../../etc",
    "a/..",
    "a/.",
    "a",
    "a/b/c",
    "octocoders/*",
    "*",
    "-x/y",
    "a/b\n",
    "a b/c",
    7,
    None,
    ["x/y"],
]


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_repository_whose_name_is_none_is_refused_whoever_signs(name: object) -> None:
    payload = tag_event("push-tag-created", repository={"full_name": name})
    anyone = {"*": trusted(SECRET), "octocoders/*": trusted(SECRET)}
    delivery = sent("push", payload)
    headers = {key.lower(): value for key, value in delivery.headers.items()}
    assert isinstance(judge_delivery(headers, delivery.body, anyone), Refusal)


WRONG_BODIES = {
    "empty": b"",
    "no JSON": b"payload=%7B%7D",
    "half a JSON": BODY[: len(BODY) // 2],
    "a list": b"[]",
    "a number": b"7",
    "no UTF-8": b'{"repository": "\xff"}',
    "UTF-16": BODY.decode().encode("utf-16"),
    "a byte-order mark": b"\xef\xbb\xbf" + BODY,
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand nested objects": b'{"a":' * 100_000,
    "a number of ten thousand digits": b'{"a":' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_a_body_that_is_no_object_is_refused_even_if_signed(name: str) -> None:
    judged = judge(Sent("push", WRONG_BODIES[name]))
    assert isinstance(judged, Refusal)
    assert (judged.status, judged.signed) == (400, False)


WRONG_HEADERS: dict[str, dict[str, str | None]] = {
    "no id": {"x_github_delivery": None},
    "an id that is none": {"x_github_delivery": "1"},
    "an id with a line in it": {"x_github_delivery": f"{PUSH.id}\nforged log line"},
    "two ids": {"x_github_delivery": f"{PUSH.id}, {PUSH.id}"},
    "no event": {"x_github_event": None},
    "an event with a path in it": {"x_github_event": "../push"},
    "two events": {"x_github_event": "push, release"},
}


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_headers_that_github_does_not_send_are_refused(name: str) -> None:
    judged = judge(PUSH, **WRONG_HEADERS[name])
    assert isinstance(judged, Refusal)
    assert (judged.status, judged.signed) == (400, False)


def _without(payload: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name != key}


MALFORMED = {
    "a push without ref": ("push", _without(tag_event("push-tag-created"), "ref"), SECRET),
    "a push whose ref is a number": ("push", tag_event("push-tag-created", ref=1), SECRET),
    "a push without after": ("push", _without(tag_event("push-tag-created"), "after"), SECRET),
    "a push to no commit": ("push", tag_event("push-tag-created", head_commit={"id": "HEAD"}), SECRET),
    "a push whose commit is an option": ("push", tag_event("push-tag-created", head_commit={"id": "--x"}), SECRET),
    "a push to a commit and more": ("push", tag_event("push-tag-created", head_commit={"id": f"{COMMIT}0"}), SECRET),
    "a release without release": ("release", tag_event("release-published", release=None), SECRET),
    "a release without tag": (
        "release",
        tag_event("release-published", release={"draft": False, "tag_name": ""}),
        SECRET,
    ),
    "a create without ref": ("create", _without(tag_event("create-tag"), "ref"), SECRET),
}
CALLS: dict[str, Any] = {
    "no inputs": None,
    "a list of inputs": ["plugin_name"],
    "no name": {"version": "1.0.0"},
    "a name with a path in it": {"plugin_name": "../x"},
    "a name with a shell in it": {"plugin_name": "x$(id)"},
    "an endless name": {"plugin_name": "x" * 129},
    "a name that is a list": {"plugin_name": ["x"]},
    "a version with a v": {"plugin_name": "x", "version": "v1.0.0"},
    "a version that is none": {"plugin_name": "x", "version": "1"},
    "a version that is a number": {"plugin_name": "x", "version": 1.0},
    "a language with a shell in it": {"plugin_name": "x", "plugin_type": "go;id"},
    "a ref that is an option": {"plugin_name": "x", "ref": "--upload-pack=x"},
    "a ref with a blank": {"plugin_name": "x", "ref": "a b"},
    "a ref with a range": {"plugin_name": "x", "ref": "a^{tree}"},
}


@pytest.mark.parametrize("name", [*MALFORMED, *CALLS])
def test_what_is_signed_but_malformed_is_refused_with_a_reason(name: str) -> None:
    if name in CALLS:
        delivery = sent("workflow_dispatch", call("workflow-dispatch", CALLS[name]), ORG_SECRET)
    else:
        event, payload, secret = MALFORMED[name]
        delivery = sent(event, payload, secret)
    judged = judge(delivery)
    assert isinstance(judged, Refusal), judged
    assert (judged.status, judged.signed) == (422, True)
    assert judged.reason


def test_no_secret_is_in_what_is_shown_of_a_verdict() -> None:
    shown = [repr(judge(PUSH)), repr(judge(PUSH, x_hub_signature_256=None)), repr(REPOSITORIES), str(REPOSITORIES)]
    assert not [text for text in shown if SECRET in text or ORG_SECRET in text]
