"""What the registries hold already: look-up-tags."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pluginyard import oci
from pluginyard.errors import PluginyardError
from pluginyard.references import Destination
from pluginyard.tag_watch import TagWatch, WatchedTag, judge_published
from tasks.connections import Registries
from tasks.doors.registries.received import annotations_of
from tasks.policies import log, step

_LOOK_UPS = 8
Repository = tuple[Destination, str]
Revisions = dict[str, str | None]
"""By version, the commit it was published from; None where it is not there."""


@step("look-up-tags", "{watch.summary}", seconds=3600)
def look_up_tags(watch: TagWatch, registries: Registries) -> TagWatch:
    """Ask the registries for the version of each tag, several repositories at once; errors stay with their tags."""
    asked = _versions_by_repository(watch.of("missing"))

    def ask(item: tuple[Repository, Iterable[str]]) -> Revisions | PluginyardError:
        (place, name), versions = item
        try:
            return _find_revisions(place, name, versions, registries)
        except PluginyardError as error:
            return error

    with ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="look-up") as pool:
        answers = dict(zip(asked, pool.map(ask, asked.items()), strict=True))
    found = replace(watch, tags=tuple(_judge(tag, answers) for tag in watch.tags))
    log(found.summary)
    return found


def _versions_by_repository(tags: Iterable[WatchedTag]) -> dict[Repository, list[str]]:
    asked: dict[Repository, list[str]] = {}
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


def _judge(tag: WatchedTag, answers: dict[Repository, Revisions | PluginyardError]) -> WatchedTag:
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
