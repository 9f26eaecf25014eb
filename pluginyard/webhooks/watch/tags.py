"""Which tags of watched repositories start a release: the registry says what is published, so nothing is remembered.

A published version never moves: a tag that leads to another commit than what is published under its version
is reported, and starts nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from pluginyard.errors import BatchError, PluginyardError, RequestError
from pluginyard.forms import PublishRequest, WatchRequest
from pluginyard.oci import Destination
from pluginyard.releases import MOST_RUNS, UNSUCCESSFUL, Release, parse_release_tag, release_key
from pluginyard.sources import Source, SourceTag

DAY = 86400

TagState = Literal["failed", "halted", "moved", "too old", "missing", "started", "under way", "ignored", "published"]

# What needs attention comes first.
_ORDER: tuple[TagState, ...] = get_args(TagState)


@dataclass(frozen=True)
class WatchedTag:
    """Say what was found of one tag, or of a whole repository where `name` is empty, and what follows."""

    repository: str
    name: str
    state: TagState
    reason: str
    source: Source | None = None
    release: Release | None = None
    destinations: tuple[Destination, ...] = ()
    run: str = ""
    """Id of the flow run that publishes it."""
    error: PluginyardError | None = None
    tagged: int = 0

    @property
    def commit(self) -> str:
        """Return the commit the tag leads to, or an empty string."""
        return self.source.commit if self.source else ""

    @property
    def key(self) -> str:
        """Return the key of this release, which differs for the same one in other registries."""
        return f"{self.repository}@{self.name}@{self.commit}"

    @property
    def shared_keys(self) -> tuple[str, str]:
        """Return the keys that a webhook's run has: of the tag, and of the tag at this commit."""
        return release_key(self.repository, self.name), release_key(self.repository, self.name, self.commit)

    def because(self, state: TagState, reason: str, **more: Any) -> WatchedTag:
        """Return the same tag in another state."""
        return replace(self, state=state, reason=reason, **more)

    def failed(self, error: PluginyardError) -> WatchedTag:
        """Return the same tag with what went wrong."""
        return self.because("failed", error.message, error=error)

    def not_located(self, error: PluginyardError) -> WatchedTag:
        """Return the same tag where nobody knows in which registries it would be; an old one fails nothing."""
        return replace(self, error=error) if self.state == "too old" else self.failed(error)


@dataclass(frozen=True)
class TagWatch:
    """Hold what was found of every watched tag."""

    tags: tuple[WatchedTag, ...]
    older: int = 0
    """How many are older than was asked for, beside those among `tags`."""

    def by_commit(self) -> Mapping[Source, list[WatchedTag]]:
        """Return the release tags by the commit that says where they are published: each by its own.

        Old ones by the newest of them, for what it says goes for hundreds.
        """
        old = self.of("too old")
        newest = max(old, key=lambda tag: tag.tagged).source if old else None
        groups = defaultdict[Source, list[WatchedTag]](list)
        for tag in self.tags:
            if tag.release and (source := newest if tag.state == "too old" else tag.source):
                groups[source].append(tag)
        return groups

    def located(self, tags: Iterable[WatchedTag]) -> TagWatch:
        """Return the watch with `tags` in place of those of their names."""
        known = {tag.name: tag for tag in tags}
        return replace(self, tags=tuple(known.get(tag.name, tag) for tag in self.tags))

    def of(self, state: TagState) -> tuple[WatchedTag, ...]:
        """Return the tags in `state`."""
        return tuple(tag for tag in self.tags if tag.state == state)

    @property
    def summary(self) -> str:
        """Return how many are in which state."""
        counts = [f"{len(found)} {state}" for state in _ORDER if (found := self.of(state))]
        return ", ".join([*counts, *([f"{self.older} older"] if self.older else [])]) or "no tags"

    def rows(self) -> list[dict[str, str]]:
        """Return a row for each tag, what needs attention first, as the table of the report shows it."""
        return [
            {
                "repository": tag.repository,
                "tag": tag.name,
                "commit": tag.commit[:12],
                "state": tag.state,
                "why": tag.reason,
                "run": tag.run,
            }
            for tag in sorted(self.tags, key=lambda tag: _ORDER.index(tag.state))
        ]

    def raise_for_failures(self, subject: str) -> None:
        """Raise one BatchError that lists what failed in this run, with each remedy."""
        if bad := self.of("failed"):
            lines = [f"{tag.name or tag.repository}: {tag.error or tag.reason}".replace("\n", " ") for tag in bad]
            raise BatchError(
                f"{len(bad)} of {len(self.tags)} could not be watched or published:\n    " + "\n    ".join(lines),
                subject=subject,
                remedy="fix them; the next watch looks again, and does only what is missing",
            )


def choose_watched_tags(request: WatchRequest, repository: str, found: Iterable[SourceTag], now: float) -> TagWatch:
    """Choose which tags of a repository are looked up in the registries; `now` in seconds since the epoch.

    A name that is not a release tag is reported with the reason, unless it is old: it may be meant as one.
    """
    asked = [tag for tag in found if fnmatchcase(tag.name, request.tags)]
    since = now - request.newer_than_days * DAY if request.newer_than_days else 0
    recent = [_judge(repository, tag) for tag in asked if tag.tagged >= since]
    old = [_judge(repository, tag) for tag in asked if tag.tagged < since]
    releases = [
        tag.because("too old", f"{(now - tag.tagged) / DAY:.0f} days old") for tag in old if tag.state == "missing"
    ]
    return TagWatch((*recent, *releases), len(old) - len(releases))


def judge_published(tag: WatchedTag, revisions: Iterable[tuple[str, str | None]]) -> WatchedTag:
    """Say what follows from the commit each reference was published from, None where it is not there.

    Where the version is published from another commit nothing is started: publishing would be refused, or
    find that the content is the same. What other tools published often names no commit; it counts as this one's.
    """
    known = tuple(revisions)
    for reference, revision in known:
        if revision and revision != tag.commit:
            reason = f"{reference} was published from commit {revision[:12]} and stays: release a new version"
            return tag.because("moved", reason)
    if lacking := [reference for reference, revision in known if revision is None]:
        return tag.because("missing", f"not in {', '.join(lacking)}")
    return tag.because("published", "published from this commit")


def judge_run(tag: WatchedTag, state: str, run: str, *, is_new: bool = False) -> WatchedTag:
    """Say what the run of a missing tag means; `state` is the type of Prefect's state, as in COMPLETED."""
    if is_new:
        return tag.because("started", "its run was started now", run=run)
    if state == "COMPLETED":
        return tag.because("halted", f"its run completed, yet it is {tag.reason}: publish the tag by hand", run=run)
    if state in UNSUCCESSFUL:
        reason = f"its run ended {state.lower()} and is not started again: retry that run, or publish the tag by hand"
        return tag.because("halted", reason, run=run)
    return tag.because("under way", f"its run is {state.lower()}", run=run)


def choose_here(tag: WatchedTag, runs: Sequence[tuple[str, str]]) -> WatchedTag:
    """Say whether a missing tag is published within this run, by the (state, id) of earlier runs, newest first.

    One that ended is not repeated. One that neither ended nor lives died with its watch, and is tried again,
    a few times: publishing twice gives one artifact.
    """
    for state, run in runs:
        if state in ("COMPLETED", "FAILED", "CANCELLED"):
            return judge_run(tag, state, run)
    if len(runs) >= MOST_RUNS:
        return tag.because(
            "halted", f"it was begun {len(runs)} times and never ended: look at the worker", run=runs[0][1]
        )
    return tag


def for_tag(request: WatchRequest, tag: WatchedTag) -> PublishRequest:
    """Return the request that publishes the tag."""
    return PublishRequest(
        repository=tag.repository, tag=tag.name, registries=request.registries, plain_http=request.plain_http
    )


def is_shared(request: PublishRequest) -> bool:
    """Return whether a webhook for the tag would ask for the same: nothing but repository and tag."""
    return request.model_dump(exclude_defaults=True).keys() == {"repository", "tag"}


def merge(watches: Iterable[TagWatch]) -> TagWatch:
    """Return several repositories' watches as one."""
    known = tuple(watches)
    return TagWatch(tuple(tag for watch in known for tag in watch.tags), sum(watch.older for watch in known))


def _judge(repository: str, tag: SourceTag) -> WatchedTag:
    try:
        release = parse_release_tag(tag.name)
    except RequestError as error:
        return WatchedTag(repository, tag.name, "ignored", f"{error.message}; {error.remedy}", tag.source)
    return WatchedTag(repository, tag.name, "missing", "not looked up yet", tag.source, release, tagged=tag.tagged)
