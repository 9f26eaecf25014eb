from __future__ import annotations

import pytest
from pydantic import ValidationError

from pluginyard.errors import BatchError, RegistryError
from pluginyard.forms import WatchRequest
from pluginyard.releases import release_key
from pluginyard.sources import Source, SourceTag
from pluginyard.webhooks.watch import (
    DAY,
    TagWatch,
    WatchedTag,
    choose_here,
    choose_watched_tags,
    for_tag,
    is_shared,
    judge_published,
    judge_run,
    merge,
)
from pluginyard.webhooks.watch.tags import TagState

NOW = 1_800_000_000
URL = "https://github.com/Acme/plugins.git"
COMMIT, OTHER = "a" * 40, "b" * 40
TAG = "wasm-go-request-block-v1.0.0"


def source_tag(name: str = TAG, days: float = 1, commit: str = COMMIT) -> SourceTag:
    return SourceTag(name, Source(URL, "/mirror", commit, NOW), int(NOW - days * DAY))


def asked(**fields: object) -> WatchRequest:
    return WatchRequest.model_validate({"repositories": [URL], **fields})


def missing(name: str = TAG) -> WatchedTag:
    (tag,) = choose_watched_tags(asked(), URL, [source_tag(name)], NOW).tags
    return tag


def test_a_release_tag_is_looked_up() -> None:
    tag = missing()
    assert tag.state == "missing"
    assert tag.release is not None
    assert (tag.release.name, tag.release.version, tag.commit) == ("request-block", "1.0.0", COMMIT)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("wasm-go-request-block-v1.0.0+build", "nearest: wasm-go-request-block-v1.0.0"),
        ("wasm-go-Request-Block-v1.0.0", "nearest: wasm-go-request-block-v1.0.0"),
        ("wasm-go-request-block-v1", "nearest: wasm-go-request-block-v1.0.0"),
        ("wasm-nonsense", "the form is"),
    ],
)
def test_a_tag_that_is_no_release_is_told_of_with_the_nearest_that_is(name: str, why: str) -> None:
    tag = missing(name)
    assert tag.state == "ignored"
    assert why in tag.reason


@pytest.mark.parametrize(
    ("days", "limit", "state"),
    [(29.9, 30, "missing"), (30.1, 30, "too old"), (3000, 0, "missing"), (-1, 1, "missing")],
)
def test_tags_older_than_the_limit_are_left_alone(days: float, limit: int, state: str) -> None:
    watch = choose_watched_tags(asked(newer_than_days=limit), URL, [source_tag(days=days)], NOW)
    assert [tag.state for tag in watch.tags] == [state]
    assert watch.older == 0


def test_old_tags_that_are_no_release_are_only_counted() -> None:
    watch = choose_watched_tags(asked(), URL, [source_tag("wasm-nonsense", days=99)], NOW)
    assert (watch.tags, watch.older, watch.summary) == ((), 1, "1 older")


def test_tags_that_are_not_asked_for_are_not_even_counted() -> None:
    names = ["v1.0.0", "wasm-rust-x-v1.0.0", TAG]
    watch = choose_watched_tags(asked(tags="wasm-go-*"), URL, [source_tag(name, days=99) for name in names], NOW)
    assert [tag.name for tag in watch.tags] == [TAG]
    assert watch.older == 0


@pytest.mark.parametrize(
    ("revisions", "state", "why"),
    [
        ([("a", COMMIT)], "published", "from this commit"),
        ([("a", COMMIT), ("b", COMMIT)], "published", ""),
        ([("a", None)], "missing", "not in a"),
        ([("a", COMMIT), ("b", None), ("c", None)], "missing", "not in b, c"),
        ([("a", OTHER)], "moved", "a was published from commit bbbbbbbbbbbb and stays"),
        ([("a", None), ("b", OTHER)], "moved", "b was"),
        ([("a", "")], "published", ""),
        ([("a", ""), ("b", None)], "missing", "not in b"),
    ],
)
def test_what_is_published_decides_whether_a_tag_is_missing(
    revisions: list[tuple[str, str | None]], state: TagState, why: str
) -> None:
    tag = judge_published(missing(), revisions)
    assert tag.state == state
    assert why in tag.reason


@pytest.mark.parametrize(
    ("run_state", "state", "why"),
    [
        ("SCHEDULED", "under way", "its run is scheduled"),
        ("RUNNING", "under way", "running"),
        ("CANCELLING", "under way", "cancelling"),
        ("FAILED", "halted", "ended failed and is not started again: retry that run"),
        ("CRASHED", "halted", "ended crashed"),
        ("CANCELLED", "halted", "ended cancelled"),
        ("COMPLETED", "halted", "its run completed, yet it is not in a: publish the tag by hand"),
    ],
)
def test_a_run_that_was_there_before_is_not_started_again(run_state: str, state: TagState, why: str) -> None:
    tag = judge_run(judge_published(missing(), [("a", None)]), run_state, "7")
    assert (tag.state, tag.run) == (state, "7")
    assert why in tag.reason
    assert judge_run(missing(), run_state, "7", is_new=True).state == "started"


@pytest.mark.parametrize(
    ("runs", "state"),
    [
        ([], "missing"),
        ([("RUNNING", "1")], "missing"),
        ([("CRASHED", "2"), ("RUNNING", "1")], "missing"),
        ([("CRASHED", "3"), ("CRASHED", "2"), ("RUNNING", "1")], "halted"),
        ([("RUNNING", "2"), ("FAILED", "1")], "halted"),
        ([("COMPLETED", "1")], "halted"),
        ([("CANCELLED", "1")], "halted"),
    ],
)
def test_within_the_watch_a_release_that_died_is_tried_a_few_times_and_one_that_failed_is_not(
    runs: list[tuple[str, str]], state: TagState
) -> None:
    assert choose_here(missing(), runs).state == state


def test_the_key_is_of_repository_tag_and_commit() -> None:
    assert missing().key == f"{URL}@{TAG}@{COMMIT}"


def test_a_watch_and_a_webhook_share_the_keys_of_a_tag() -> None:
    assert missing().shared_keys == (release_key("acme/plugins", TAG), release_key("acme/plugins", TAG, COMMIT))


def test_a_watch_into_other_registries_is_a_wish_of_its_own() -> None:
    assert is_shared(for_tag(asked(), missing()))
    assert not is_shared(for_tag(asked(registries=["oci:out"]), missing()))
    assert not is_shared(for_tag(asked(plain_http=True), missing()))


def test_the_request_for_a_tag_names_no_more_than_was_asked() -> None:
    assert for_tag(asked(), missing()).model_dump(exclude_defaults=True) == {"repository": URL, "tag": TAG}
    given = for_tag(asked(registries=["oci:out"], plain_http=True), missing())
    assert (given.registries, given.plain_http) == (["oci:out"], True)


def test_the_table_shows_first_what_needs_attention() -> None:
    states: tuple[TagState, ...] = ("published", "ignored", "started", "moved", "halted", "failed")
    watch = TagWatch(tuple(missing().because(state, "why") for state in states))
    assert [row["state"] for row in watch.rows()] == ["failed", "halted", "moved", "started", "ignored", "published"]
    assert watch.summary == "1 failed, 1 halted, 1 moved, 1 started, 1 ignored, 1 published"


def test_one_error_lists_what_failed_and_only_that() -> None:
    bad = missing().failed(RegistryError("it is damaged", subject="oci:out", remedy="restore it"))
    lost = WatchedTag("https://lost.example", "", "failed", "cannot reach it")
    watch = merge([TagWatch((bad, missing().because("moved", "elsewhere")), 2), TagWatch((lost,), 3)])
    assert watch.older == 5
    with pytest.raises(BatchError, match="2 of 3") as failure:
        watch.raise_for_failures("all")
    assert f"{TAG}: oci:out: it is damaged   remedy: restore it" in str(failure.value)
    assert "https://lost.example: cannot reach it" in str(failure.value)
    assert "elsewhere" not in str(failure.value)
    TagWatch((missing().because("halted", ""), missing().because("moved", ""))).raise_for_failures("all")


@pytest.mark.parametrize("url", ["https://user:word@host/a/b", "https://token@host/a/b", "ssh://git:word@host/a/b"])
def test_an_address_with_a_password_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValidationError, match="credential helper") as refusal:
        asked(repositories=[url])
    message = refusal.value.errors(include_url=False, include_input=False)[0]["msg"]
    assert url not in message
    assert url not in str(refusal.value)


def test_addresses_are_watched_once_each_and_may_name_a_user_of_ssh() -> None:
    urls = ["git@host:a/b", "ssh://git@host/a/b", "git@host:a/b", "/srv/a"]
    assert asked(repositories=urls).repositories == ["git@host:a/b", "ssh://git@host/a/b", "/srv/a"]


@pytest.mark.parametrize("name", ["", "on-tag", "publish-plugin/", "a/b/c"])
def test_a_deployment_is_named_by_flow_and_name(name: str) -> None:
    with pytest.raises(ValidationError, match="deployment"):
        asked(deployment=name)
