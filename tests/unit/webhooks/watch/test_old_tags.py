from __future__ import annotations

from pluginyard.errors import RegistryError
from pluginyard.forms import WatchRequest
from pluginyard.sources import Source, SourceTag
from pluginyard.webhooks.watch import DAY, TagWatch, WatchedTag, choose_watched_tags, judge_old, merge
from pluginyard.webhooks.watch.old_tags import MOST_REPORTED

NOW = 1_800_000_000
URL, OTHER_URL = "https://github.com/acme/plugins.git", "https://github.com/acme/others.git"


def old(count: int, url: str = URL) -> TagWatch:
    """Return the watch of a repository with `count` tags, from 45 days on."""
    tags = [
        SourceTag(f"wasm-go-block-v1.{number}.0", Source(url, "/mirror", "a" * 40, NOW), int(NOW - (45 + number) * DAY))
        for number in range(count)
    ]
    return choose_watched_tags(WatchRequest(repositories=[url]), url, tags, NOW)


def nowhere(tag: WatchedTag) -> list[str]:
    return [f"oci:out:{tag.name}"]


def test_a_tag_on_an_old_commit_that_is_published_nowhere_is_told_of_with_what_to_do() -> None:
    (tag,) = judge_old(old(1), nowhere).tags
    assert (tag.state, tag.name) == ("too old", "wasm-go-block-v1.0.0")
    assert tag.reason.startswith("45 days old, and not in oci:out:wasm-go-block-v1.0.0: start publish-plugin/on-demand")


def test_old_tags_that_are_published_are_only_counted() -> None:
    watch = judge_old(old(3), lambda tag: [] if tag.name != "wasm-go-block-v1.1.0" else ["oci:out"])
    assert [tag.name for tag in watch.tags] == ["wasm-go-block-v1.1.0"]
    assert (watch.older, watch.summary) == (2, "1 too old, 2 older")


def test_of_many_the_newest_few_of_each_repository_are_told_and_the_rest_in_one_row() -> None:
    watch = judge_old(merge([old(100), old(1, OTHER_URL)]), nowhere)
    names = [tag.name for tag in watch.tags if tag.repository == URL]
    assert names == [*(f"wasm-go-block-v1.{number}.0" for number in range(MOST_REPORTED)), ""]
    assert [tag.reason for tag in watch.tags if not tag.name] == ["90 more like these, with older commits"]
    assert [tag.name for tag in watch.tags if tag.repository == OTHER_URL] == ["wasm-go-block-v1.0.0"]


def test_what_cannot_be_looked_up_is_told_and_fails_nothing() -> None:
    def fail(tag: WatchedTag) -> list[str]:
        raise RegistryError("it is away", subject="registry.example.com", remedy="wait")

    watch = judge_old(old(1), fail)
    assert watch.tags[0].reason == "45 days old, and could not be looked up: it is away"
    watch.raise_for_failures("all")
