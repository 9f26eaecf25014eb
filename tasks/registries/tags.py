"""What the registries hold already: look-up-tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

from pluginyard import oci
from pluginyard.errors import PluginyardError
from pluginyard.oci import Destination, annotations_of
from pluginyard.webhooks.watch import TagWatch, WatchedTag, judge_old, judge_published
from tasks.registries.session import Registries
from tasks.steps import log, step

_LOOK_UPS = 8
Found = TypeVar("Found")
PluginPlace = tuple[Destination, str]
Answers: TypeAlias = dict[PluginPlace, Found | PluginyardError]
Revisions = dict[str, str | None]
"""By version, the commit it was published from; None where it is not there."""


@step("look-up-tags", "{watch.summary}", seconds=3600)
def look_up_tags(watch: TagWatch, registries: Registries) -> TagWatch:
    """Ask the registries for the version of each tag, several repositories at once; errors stay with their tags."""
    asked = _versions_by_repository(watch.of("missing"))
    stored = _ask(asked, lambda place, name: _find_revisions(place, name, asked[place, name], registries))
    # For what is only reported names are enough, one request for hundreds of versions.
    old = _versions_by_repository(watch.of("too old"))
    names = _ask(old, lambda place, name: registries.open(place, name).list_tags())
    judged = replace(watch, tags=tuple(_judge(tag, stored) for tag in watch.tags))
    found = judge_old(judged, partial(_find_lacking, names))
    log(found.summary)
    return found


def _ask(asked: Iterable[PluginPlace], question: Callable[[Destination, str], Found]) -> Answers[Found]:
    def ask(item: PluginPlace) -> Found | PluginyardError:
        try:
            return question(*item)
        except PluginyardError as error:
            return error

    repositories = list(asked)
    with ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="look-up") as pool:
        return dict(zip(repositories, pool.map(ask, repositories), strict=True))


def _find_lacking(stored: Answers[tuple[str, ...]], tag: WatchedTag) -> list[str]:
    """Return the references of an old release that are not there; raise what kept us from knowing."""
    if tag.error:
        raise tag.error
    lacking = []
    for (place, name), versions in _versions_by_repository([tag]).items():
        answer = stored[place, name]
        if isinstance(answer, PluginyardError):
            raise answer
        lacking += [place.reference_to(name, version) for version in versions if version not in answer]
    return lacking


def _versions_by_repository(tags: Iterable[WatchedTag]) -> dict[PluginPlace, list[str]]:
    asked: dict[PluginPlace, list[str]] = {}
    for tag in tags:
        if tag.release:
            for place in tag.destinations:
                asked.setdefault((place, tag.release.name), []).append(tag.release.version)
    return asked


def _find_revisions(place: Destination, name: str, versions: Iterable[str], registries: Registries) -> Revisions:
    repository = registries.open(place, name)
    stored = {version: repository.find_manifest(version) for version in versions}
    return {
        version: annotations_of(manifest).get(oci.REVISION, "") if manifest else None
        for version, manifest in stored.items()
    }


def _judge(tag: WatchedTag, answers: Answers[Revisions]) -> WatchedTag:
    if tag.state != "missing" or tag.release is None:
        return tag
    revisions = []
    for place in tag.destinations:
        answer = answers[place, tag.release.name]
        if isinstance(answer, PluginyardError):
            return tag.failed(answer)
        reference = place.reference_to(tag.release.name, tag.release.version)
        revisions.append((reference, answer[tag.release.version]))
    return judge_published(tag, revisions)
