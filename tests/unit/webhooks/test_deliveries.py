from __future__ import annotations

import json

import pytest

from pluginyard.releases import release_key
from pluginyard.webhooks import Delivery, IgnoredDelivery, RefusedDelivery, choose_next_key, judge_delivery
from tests.machine.github import REPOSITORY, SECRET, TAG, call, recorded, sent, tag_event
from tests.machine.judged import (
    COMMIT,
    GITHUB,
    NEXT_SECRET,
    ORG_SECRET,
    OTHER_COMMIT,
    PUSH,
    REPOSITORIES,
    accepted,
    judge,
    trusted,
)


def test_a_pushed_tag_starts_its_release_from_the_configured_address() -> None:
    found = accepted(PUSH)
    assert found.parameters == {"request": {"repository": "https://github.com/Codertocat/Hello-World.git", "tag": TAG}}
    assert (found.repository, found.release.tag, found.release.commit, found.event) == (REPOSITORY, TAG, COMMIT, "push")
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
    assert {item.idempotency_key for item in found} == {f"release:codertocat/hello-world:{TAG}"}
    assert [item.release.commit for item in found] == [COMMIT, "", ""]
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
    assert accepted(sent("push", payload)).origin.clone_url == "https://github.com/Codertocat/Hello-World.git"
    mirrored = accepted(sent("workflow_dispatch", call("workflow-dispatch", {"plugin_name": "a"}), ORG_SECRET))
    assert mirrored.origin.clone_url == "ssh://git@git.example.com/mirrors/octo.git"


def test_a_delivery_is_named_alike_in_any_case() -> None:
    judged = judge(PUSH, x_github_delivery=PUSH.id.upper())
    assert isinstance(judged, Delivery)
    assert judged.id == PUSH.id


def test_an_annotated_tag_is_of_the_commit_and_not_of_the_tag_object() -> None:
    assert accepted(sent("push", tag_event("push-tag-created", after=OTHER_COMMIT))).release.commit == COMMIT


OF_TAG = f"release:codertocat/hello-world:{TAG}"
OF_COMMIT = f"{OF_TAG}:{COMMIT}"


@pytest.mark.parametrize(
    ("name", "recorded", "failed", "expected"),
    [
        ("push", COMMIT, False, ""),
        ("push", COMMIT, True, ""),
        ("push", OTHER_COMMIT, False, OF_COMMIT),
        ("push", OTHER_COMMIT, True, OF_COMMIT),
        ("push", "", False, ""),
        ("push", "", True, OF_COMMIT),
        ("create", OTHER_COMMIT, True, ""),
        ("release", "", True, ""),
    ],
)
def test_a_tag_set_again_at_another_commit_has_one_key_more(
    name: str, recorded: str, failed: bool, expected: str
) -> None:
    kinds = {"push": "push-tag-created", "create": "create-tag", "release": "release-published"}
    found = accepted(sent(name, tag_event(kinds[name])))
    assert choose_next_key(found, OF_TAG, run="7", recorded=recorded, failed=failed) == expected
    assert choose_next_key(found, OF_COMMIT, run="7", recorded=recorded, failed=failed) == "", "there is no third"


@pytest.mark.parametrize(("recorded", "expected"), [(COMMIT, ""), (OTHER_COMMIT, OF_COMMIT), ("", OF_COMMIT)])
def test_a_tag_moved_by_force_is_a_wish_for_its_new_commit(recorded: str, expected: str) -> None:
    moved = accepted(sent("push", tag_event("push-tag-created", created=False, forced=True, before=OTHER_COMMIT)))
    assert moved.idempotency_key == OF_TAG
    assert choose_next_key(moved, OF_TAG, run="7", recorded=recorded, failed=False) == expected


def test_a_mirrored_repository_has_the_keys_of_a_watch_of_its_mirror() -> None:
    payload = tag_event("push-tag-created", repository={"full_name": "octo-org/octo-repo"})
    found = accepted(sent("push", payload, ORG_SECRET))
    assert found.idempotency_key == release_key("ssh://git@git.example.com/mirrors/octo", TAG)


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


def called(**more: str) -> Delivery:
    payload = call("repository-dispatch", {"plugin_name": "a", **more})
    return accepted(sent("repository_dispatch", payload, ORG_SECRET))


def test_a_manual_call_is_told_by_its_content_whatever_its_id() -> None:
    first, again = called(), called()
    assert first.id != again.id
    assert first.idempotency_key == again.idempotency_key
    assert len({item.idempotency_key for item in (first, called(nonce="1"), called(nonce="2"))}) == 3


def test_a_call_comes_again_only_after_its_run_failed_and_once_for_each_that_did() -> None:
    found = called()
    assert choose_next_key(found, found.idempotency_key, run="7", recorded="", failed=False) == ""
    after = choose_next_key(found, found.idempotency_key, run="7", recorded="", failed=True)
    assert after == f"{found.idempotency_key}:after:7"
    assert choose_next_key(found, after, run="8", recorded="", failed=False) == ""
    assert choose_next_key(found, after, run="8", recorded="", failed=True) == f"{found.idempotency_key}:after:8"


def test_an_organisation_webhook_serves_every_repository_of_its_owner() -> None:
    payload = tag_event("push-tag-created", repository={"full_name": "Octocoders/anything"})
    assert accepted(sent("push", payload, ORG_SECRET)).origin.clone_url == "https://github.com/Octocoders/anything.git"


def test_a_repository_with_a_secret_of_its_own_is_not_started_by_that_for_all() -> None:
    both = {**REPOSITORIES, "*": trusted(ORG_SECRET), "codertocat/*": trusted(ORG_SECRET)}
    delivery = sent("push", tag_event("push-tag-created"), ORG_SECRET)
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    assert isinstance(judge_delivery(GITHUB, headers, delivery.body, both), RefusedDelivery)


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
    assert isinstance(judged, IgnoredDelivery), judged
    assert judged.reason


def test_a_ping_is_told_that_its_secret_is_right() -> None:
    judged = judge(sent("ping", recorded("ping"), ORG_SECRET))
    assert isinstance(judged, IgnoredDelivery)
    assert "secret is right" in judged.reason


def test_a_tag_that_is_nearly_right_is_told_the_nearest() -> None:
    judged = judge(sent("create", tag_event("create-tag", "wasm-go-Request-Block-v1.0")))
    assert isinstance(judged, IgnoredDelivery)
    assert "wasm-go-request-block-v1.0.0" in judged.reason
