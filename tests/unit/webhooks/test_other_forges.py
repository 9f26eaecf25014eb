"""Forges that speak GitHub's dialect with fewer fields: Gitea, Forgejo, GitBucket."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pluginyard.settings import load_trusted
from pluginyard.webhooks import Delivery, IgnoredDelivery, RefusedDelivery, choose_next_key, judge_delivery
from tests.machine.github import SECRET, TAG
from tests.machine.judged import COMMIT, GITHUB, OTHER_COMMIT

FIXTURES = Path(__file__).parents[2] / "fixtures"
FORGES = ("gitea", "forgejo", "gitbucket")
REPOSITORIES = load_trusted(
    GITHUB.name,
    GITHUB.address,
    {
        "PLUGINYARD_GITHUB_URL": "https://forge.example.com",
        "PLUGINYARD_GITHUB_SECRETS_FILE": "secrets.yaml",
    },
    lambda path: json.dumps({"acme/*": SECRET, "acme.io/*": SECRET}).encode(),
)


def judge(forge: str, name: str, **changed: Any) -> Delivery | IgnoredDelivery | RefusedDelivery:
    """Judge a delivery with the signatures that the forge adds, and fields of its body changed."""
    fixture = json.loads((FIXTURES / forge / f"{name}.json").read_text())
    body = json.dumps(fixture["body"] | changed).encode()
    return judge_delivery(GITHUB, signed(fixture["headers"], body, forge), body, REPOSITORIES)


def signed(headers: Mapping[str, str], body: bytes, forge: str) -> dict[str, str]:
    digests = {name: hmac.new(SECRET.encode(), body, name).hexdigest() for name in ("sha1", "sha256")}
    signatures = {"X-Hub-Signature": f"sha1={digests['sha1']}", "X-Hub-Signature-256": f"sha256={digests['sha256']}"}
    own = {"gitea": ("Gitea", "Gogs"), "forgejo": ("Forgejo", "Gitea", "Gogs"), "gitbucket": ()}[forge]
    signatures |= {f"X-{name}-Signature": digests["sha256"] for name in own}
    return {name.lower(): value for name, value in {**headers, **signatures}.items()}


def accepted(forge: str, name: str, **changed: Any) -> Delivery:
    judged = judge(forge, name, **changed)
    assert isinstance(judged, Delivery), judged
    return judged


@pytest.mark.parametrize("forge", FORGES)
def test_a_pushed_tag_starts_its_release_though_nobody_says_that_it_is_not_deleted(forge: str) -> None:
    found = accepted(forge, "push-tag")
    assert found.parameters == {"request": {"repository": "https://forge.example.com/acme/plugins.git", "tag": TAG}}
    assert (found.release.commit, found.release.moved) == (COMMIT, False)


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("missing", [{}, {"deleted": None, "created": None}])
def test_push_create_and_release_are_one_request_whatever_is_missing(forge: str, missing: dict[str, None]) -> None:
    names = [path.stem for path in (FIXTURES / forge).glob("*.json") if "tag" in path.stem or "release" in path.stem]
    found = [accepted(forge, name, **missing) for name in names if "deleted" not in name]
    assert len(found) >= 2
    assert {item.idempotency_key for item in found} == {f"release:acme/plugins:{TAG}"}


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("name", ["push-tag-deleted", "push-test"])
def test_a_deletion_and_the_test_button_start_nothing(forge: str, name: str) -> None:
    judged = judge(forge, name)
    assert isinstance(judged, IgnoredDelivery)
    assert judged.reason == ("the tag was deleted" if "deleted" in name else "not the push of a tag")


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("said", [True, "false", 0, 1, {}])
def test_a_deletion_that_is_said_in_any_way_but_false_is_one(forge: str, said: object) -> None:
    assert isinstance(judge(forge, "push-tag", deleted=said), IgnoredDelivery)


def test_a_tag_that_was_there_before_is_moved() -> None:
    moved = accepted("gitbucket", "push-tag", before=OTHER_COMMIT)
    assert moved.release.moved
    assert choose_next_key(moved, moved.idempotency_key, run="7", recorded="", failed=False)
    assert not accepted("gitbucket", "push-tag", before=None).release.moved, "where nobody says so it is not"


def test_a_draft_starts_nothing_and_a_release_that_does_not_say_so_is_none() -> None:
    release = json.loads((FIXTURES / "gitea" / "release-published.json").read_text())["body"]["release"]
    assert isinstance(judge("gitea", "release-published", release=release | {"draft": True}), IgnoredDelivery)
    del release["draft"]
    assert accepted("gitea", "release-published", release=release).release.tag == TAG


def test_owners_may_have_dots_in_their_names() -> None:
    repository = {"full_name": "acme.io/plugins"}
    assert accepted("gitea", "push-tag", repository=repository).repository == "acme.io/plugins"


def test_a_signature_of_giteas_own_alone_is_not_enough() -> None:
    fixture = json.loads((FIXTURES / "gitea" / "push-tag.json").read_text())
    body = json.dumps(fixture["body"]).encode()
    headers = signed(fixture["headers"], body, "gitea")
    del headers["x-hub-signature-256"]
    judged = judge_delivery(GITHUB, headers, body, REPOSITORIES)
    assert isinstance(judged, RefusedDelivery)
    assert judged.status == 401
    assert headers["x-gitea-signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
