from __future__ import annotations

import json
from typing import Any

import pytest

from pluginyard import deliveries
from pluginyard.deliveries import Delivery, Ignored, Refusal, is_later_release, judge_delivery
from pluginyard.trusted_repositories import TrustedRepository
from tests.machine.github import REPOSITORY, SECRET, TAG, Sent, call, recorded, sent, sign, tag_event

COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
OTHER_COMMIT = "0123456789abcdef0123456789abcdef01234567"
GITHUB = "https://github.com/{repository}.git"
ORG_SECRET, NEXT_SECRET = "the secret of octo-org only", "the secret that comes next"


def trusted(*secrets: str, **granted: Any) -> TrustedRepository:
    return TrustedRepository.model_validate({"secrets": list(secrets), "clone_url": GITHUB, **granted})


REPOSITORIES = {
    "codertocat/hello-world": trusted(SECRET, NEXT_SECRET),
    "octo-org/octo-repo": trusted(ORG_SECRET, clone_url="ssh://git@git.example.com/mirrors/octo.git"),
    "octocoders/*": trusted(ORG_SECRET),
}


def judge(delivery: Sent, **changed: str | None) -> Delivery | Ignored | Refusal:
    """Judge with headers as the receiver hands them over: lower-case names, None takes one away."""
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    headers |= {name.replace("_", "-"): value for name, value in changed.items() if value is not None}
    gone = {name.replace("_", "-") for name, value in changed.items() if value is None}
    return judge_delivery(
        {name: value for name, value in headers.items() if name not in gone}, delivery.body, REPOSITORIES
    )


def accepted(delivery: Sent) -> Delivery:
    judged = judge(delivery)
    assert isinstance(judged, Delivery), judged
    return judged


PUSH = sent("push", tag_event("push-tag-created"))


def test_a_pushed_tag_starts_its_release_from_the_configured_address() -> None:
    found = accepted(PUSH)
    assert found.parameters == {"request": {"repository": "https://github.com/Codertocat/Hello-World.git", "tag": TAG}}
    assert (found.repository, found.tag, found.commit, found.event) == (REPOSITORY, TAG, COMMIT, "push")
    assert found.id == PUSH.id
    assert found.labels == {
        "github.delivery": PUSH.id,
        "github.event": "push",
        "github.repository": REPOSITORY,
        "github.commit": COMMIT,
    }


def test_push_create_and_release_of_one_tag_are_one_wish() -> None:
    kinds = {"push": "push-tag-created", "create": "create-tag", "release": "release-published"}
    found = [accepted(sent(event, tag_event(name))) for event, name in kinds.items()]
    assert {item.idempotency_key for item in found} == {f"github:codertocat/hello-world:{TAG}"}
    assert [item.commit for item in found] == [COMMIT, "", ""]
    assert ["github.commit" in item.labels for item in found] == [True, False, False]
    assert len({json.dumps(item.parameters) for item in found}) == 1


def test_other_tags_and_other_repositories_are_other_wishes() -> None:
    other_tag = accepted(sent("push", tag_event("push-tag-created", "wasm-go-request-block-v1.2.4")))
    elsewhere = tag_event("push-tag-created", repository={"full_name": "octocoders/plugins"})
    other_repository = accepted(sent("push", elsewhere, ORG_SECRET))
    assert len({accepted(PUSH).idempotency_key, other_tag.idempotency_key, other_repository.idempotency_key}) == 3


def test_the_address_is_the_configured_one_whatever_the_payload_says() -> None:
    payload = tag_event("push-tag-created")
    payload["repository"] |= {"clone_url": "https://evil.example/x.git", "ssh_url": "x", "html_url": "x"}
    assert accepted(sent("push", payload)).clone_url == "https://github.com/Codertocat/Hello-World.git"
    mirrored = accepted(sent("workflow_dispatch", call("workflow-dispatch", {"plugin_name": "a"}), ORG_SECRET))
    assert mirrored.clone_url == "ssh://git@git.example.com/mirrors/octo.git"


def test_a_delivery_is_named_alike_in_any_case() -> None:
    judged = judge(PUSH, x_github_delivery=PUSH.id.upper())
    assert isinstance(judged, Delivery)
    assert judged.id == PUSH.id


def test_an_annotated_tag_is_of_the_commit_and_not_of_the_tag_object() -> None:
    assert accepted(sent("push", tag_event("push-tag-created", after=OTHER_COMMIT))).commit == COMMIT


def test_a_tag_moved_by_force_is_a_wish_for_its_new_commit() -> None:
    moved = tag_event("push-tag-created", created=False, forced=True, before=OTHER_COMMIT)
    found = accepted(sent("push", moved))
    assert found.idempotency_key == f"github:codertocat/hello-world:{TAG}:{COMMIT}"
    assert not is_later_release(found, recorded_commit=OTHER_COMMIT, failed=True)


@pytest.mark.parametrize(
    ("name", "recorded_commit", "failed", "expected"),
    [
        ("push", COMMIT, False, False),
        ("push", COMMIT, True, False),
        ("push", OTHER_COMMIT, False, True),
        ("push", OTHER_COMMIT, True, True),
        ("push", "", False, False),
        ("push", "", True, True),
        ("create", OTHER_COMMIT, True, False),
        ("release", "", True, False),
    ],
)
def test_a_tag_set_again_at_another_commit_is_a_wish_of_its_own(
    name: str, recorded_commit: str, failed: bool, expected: bool
) -> None:
    kinds = {"push": "push-tag-created", "create": "create-tag", "release": "release-published"}
    found = accepted(sent(name, tag_event(kinds[name])))
    assert is_later_release(found, recorded_commit=recorded_commit, failed=failed) is expected


def test_each_secret_of_a_repository_signs_while_they_are_changed() -> None:
    assert isinstance(judge(sent("push", tag_event("push-tag-created"), NEXT_SECRET)), Delivery)


def test_names_of_repositories_ignore_case() -> None:
    payload = tag_event("push-tag-created")
    payload["repository"]["full_name"] = "CODERTOCAT/hello-WORLD"
    assert isinstance(judge(sent("push", payload)), Delivery)


def test_the_inputs_of_the_workflow_that_is_replaced_start_a_release() -> None:
    inputs = {"plugin_type": "rust", "plugin_name": "request-block", "version": "1.0.0"}
    found = accepted(sent("workflow_dispatch", call("workflow-dispatch", inputs), ORG_SECRET))
    assert found.parameters["request"] == {
        "repository": "ssh://git@git.example.com/mirrors/octo.git",
        "plugin": "request-block",
        "language": "rust",
        "version": "1.0.0",
        "ref": "main",
    }


def test_a_call_without_language_and_version_is_for_go_and_the_version_file() -> None:
    found = accepted(
        sent("workflow_dispatch", call("workflow-dispatch", {"plugin_name": "a", "version": ""}), ORG_SECRET)
    )
    assert (found.request.language, found.request.version) == ("go", "")


def test_blanks_around_what_was_typed_do_not_count() -> None:
    payload = call("workflow-dispatch", {"plugin_name": "a", "version": " 1.0.0 ", "plugin_type": "rust "})
    found = accepted(sent("workflow_dispatch", payload, ORG_SECRET))
    assert (found.request.language, found.request.version) == ("rust", "1.0.0")


def test_a_repository_dispatch_names_its_own_ref_or_takes_the_default_branch() -> None:
    default = accepted(sent("repository_dispatch", call("repository-dispatch", {"plugin_name": "a"}), ORG_SECRET))
    named = call("repository-dispatch", {"plugin_name": "a", "ref": "refs/heads/next"})
    assert default.request.ref == "master"
    assert accepted(sent("repository_dispatch", named, ORG_SECRET)).request.ref == "next"


def test_two_calls_are_two_wishes() -> None:
    payload = call("workflow-dispatch", {"plugin_name": "a"})
    keys = {accepted(sent("workflow_dispatch", payload, ORG_SECRET)).idempotency_key for _ in range(2)}
    assert len(keys) == 2


def test_an_organisation_webhook_serves_every_repository_of_its_owner() -> None:
    payload = tag_event("push-tag-created", repository={"full_name": "Octocoders/anything"})
    assert accepted(sent("push", payload, ORG_SECRET)).clone_url == "https://github.com/Octocoders/anything.git"


def test_a_repository_with_a_secret_of_its_own_is_not_started_by_that_for_all() -> None:
    both = {**REPOSITORIES, "*": trusted(ORG_SECRET), "codertocat/*": trusted(ORG_SECRET)}
    delivery = sent("push", tag_event("push-tag-created"), ORG_SECRET)
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    assert isinstance(judge_delivery(headers, delivery.body, both), Refusal)


NOT_STARTED = {
    "a ping": ("ping", recorded("ping"), ORG_SECRET),
    "an organisation's ping": ("ping", recorded("ping-organization"), ORG_SECRET),
    "the organisation's own push": ("push", recorded("ping-organization"), ORG_SECRET),
    "a tag's deletion": ("push", tag_event("push-tag-deleted"), SECRET),
    "a deletion that only its zeros tell": (
        "push",
        tag_event("push-tag-created", after="0" * 40, head_commit=None),
        SECRET,
    ),
    "a deletion that does not say so plainly": ("push", tag_event("push-tag-created", deleted="false"), SECRET),
    "the push of a branch": ("push", recorded("push-branch"), SECRET),
    "a branch that is called like a tag": ("push", tag_event("push-tag-created", ref=f"refs/heads/{TAG}"), SECRET),
    "a ref of neither kind": ("push", tag_event("push-tag-created", ref=f"refs/notes/refs/tags/{TAG}"), SECRET),
    "a ref without its kind": ("push", tag_event("push-tag-created", ref=TAG), SECRET),
    "a draft": ("release", tag_event("release-published", release={"draft": True, "tag_name": TAG}), SECRET),
    "the creation of a branch": ("create", tag_event("create-tag", ref_type="branch"), SECRET),
    "the delete event": ("delete", tag_event("delete-tag"), SECRET),
    "a release that is created": ("release", tag_event("release-created"), SECRET),
    "a release that is edited": ("release", tag_event("release-edited"), SECRET),
    "a release that is deleted": ("release", tag_event("release-deleted"), SECRET),
    "a release that is marked prerelease": ("release", tag_event("release-prereleased"), SECRET),
    "a release that is marked released": ("release", tag_event("release-released"), SECRET),
    "the recorded tag simple-tag": ("push", recorded("push-tag-created"), SECRET),
    "the recorded release 0.0.1": ("release", recorded("release-published"), SECRET),
    "a tag with build metadata": ("push", tag_event("push-tag-created", f"{TAG}+build"), SECRET),
    "a tag with an upper-case name": ("create", tag_event("create-tag", "wasm-go-Block-v1.0.0"), SECRET),
    "a tag with a shell in it": ("push", tag_event("push-tag-created", "wasm-go-x$(id)-v1.0.0"), SECRET),
    "a tag of four numbers": ("push", tag_event("push-tag-created", "wasm-go-x-v1.2.3.4"), SECRET),
    "a workflow that does not publish": ("workflow_dispatch", recorded("workflow-dispatch"), ORG_SECRET),
    "another kind of repository_dispatch": ("repository_dispatch", recorded("repository-dispatch"), ORG_SECRET),
    "an event nobody knows": ("star", {**recorded("create-tag"), "action": "created"}, SECRET),
}


@pytest.mark.parametrize("name", NOT_STARTED)
def test_what_is_signed_but_no_release_starts_nothing(name: str) -> None:
    event, payload, secret = NOT_STARTED[name]
    judged = judge(sent(event, payload, secret))
    assert isinstance(judged, Ignored), judged
    assert judged.reason


def test_a_ping_is_told_that_its_secret_is_right() -> None:
    judged = judge(sent("ping", recorded("ping"), ORG_SECRET))
    assert isinstance(judged, Ignored)
    assert "secret is right" in judged.reason


def test_a_tag_that_is_nearly_right_is_told_the_nearest() -> None:
    judged = judge(sent("create", tag_event("create-tag", "wasm-go-Request-Block-v1.0")))
    assert isinstance(judged, Ignored)
    assert "wasm-go-request-block-v1.0.0" in judged.reason


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
