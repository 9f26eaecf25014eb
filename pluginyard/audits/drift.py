"""Compare what the registries hold with what was there before, with each other, and with the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pluginyard.audits.records import Record, RecordedVersion
from pluginyard.audits.rules import DriftFinding, drifted
from pluginyard.audits.scope import Scope, SeenPlugin, SeenVersion, SourcePlugin
from pluginyard.errors import BatchError, VerificationError
from pluginyard.oci import Destination
from pluginyard.rules import ERROR, WARNING
from pluginyard.versions import LATEST, choose_newest_stable

Accepted = Callable[[str], bool]
Rows = Mapping[str, RecordedVersion]


@dataclass(frozen=True)
class Drift:
    """Hold what a run found, and what it leaves for the next one to compare with."""

    seen: tuple[SeenPlugin, ...]
    findings: tuple[DriftFinding, ...]
    records: Mapping[Destination, Record]
    new: tuple[str, ...]
    """References that no run saw before."""

    @property
    def errors(self) -> tuple[DriftFinding, ...]:
        """Return the findings that must not be."""
        return tuple(finding for finding in self.findings if finding.level == ERROR)

    @property
    def unreached(self) -> tuple[SeenPlugin, ...]:
        """Return what could not be looked at."""
        return tuple(plugin for plugin in self.seen if plugin.error)

    @property
    def summary(self) -> str:
        """Return the outcome in one line."""
        count = sum(len(plugin.versions) for plugin in self.seen)
        counts = {
            "drifted": len(self.errors),
            "warnings": len(self.findings) - len(self.errors),
            "new": len(self.new),
            "not reached": len(self.unreached),
        }
        return ", ".join([f"{count} versions", *(f"{number} {name}" for name, number in counts.items() if number)])

    def raise_for_drift(self, subject: str) -> None:
        """Raise one error: VerificationError that names what drifted, else BatchError for what was not reached."""
        lines = [f"{each.reference}: {each.message} ({each.rule})" for each in self.errors]
        lines += [f"{each.place}, {each.name}: {each.error}".replace("\n", " ") for each in self.unreached]
        listed = "".join(f"\n    {line}" for line in lines)
        if self.errors:
            raise VerificationError(
                f"{len(self.errors)} finding{'s' * (len(self.errors) > 1)}: not as it was published{listed}",
                subject=subject,
                remedy="; ".join(dict.fromkeys(each.remedy for each in self.errors)),
            )
        if self.unreached:
            raise BatchError(
                f"{len(self.unreached)} of {len(self.seen)} could not be looked at:{listed}",
                subject=subject,
                remedy="fix that and run the same again; what was recorded stays",
            )


def judge_drift(
    scope: Scope, seen: Sequence[SeenPlugin], records: Mapping[Destination, Record], accept: Sequence[str] = ()
) -> Drift:
    """Judge what was `seen` by the rules D1 to D9, and choose what is recorded.

    What drifted stays recorded as it was, so that it is reported until it is fixed, or accepted.
    """

    def accepted(reference: str) -> bool:
        return any(fnmatchcase(reference, pattern) for pattern in accept)

    findings: list[DriftFinding] = []
    new: list[str] = []
    updated = dict(records)
    for plugin in (each for each in seen if each.error is None):
        rows = records[plugin.place].of(plugin.name)
        findings += [*_judge_versions(scope, plugin, rows, accepted), *_judge_latest(scope, plugin, rows)]
        new += [plugin.reference(each.tag) for each in plugin.versions if each.digest and each.tag not in rows]
        following = _record(scope, plugin, rows, accepted)
        updated[plugin.place] = updated[plugin.place].with_plugin(plugin.name, following)
    for source in scope.plugins:
        places = [each for each in seen if each.name == source.name and each.error is None]
        if places:
            findings += [*_judge_places(places, records), *_judge_source(source, places)]
    order = sorted(findings, key=lambda each: (each.level != ERROR, each.rule, each.reference))
    return Drift(tuple(seen), tuple(order), updated, tuple(new))


def _judge_versions(scope: Scope, plugin: SeenPlugin, rows: Rows, accepted: Accepted) -> Iterator[DriftFinding]:
    """Judge each version by itself: there, unmoved, whole, loadable."""
    for row in rows.values():
        reference = plugin.reference(row.version)
        if row.version not in plugin.tags and not accepted(reference):
            yield drifted("D1", reference, f"it is gone; it was {row.digest}")
    for each in (*plugin.versions, *((plugin.latest,) if plugin.latest else ())):
        reference, known = plugin.reference(each.tag), rows.get(each.tag)
        if each.damage:
            yield drifted("D4", reference, each.damage)
        if known and each.digest not in ("", known.digest) and not accepted(reference):
            yield drifted("D2", reference, f"it was {known.digest}, and is {each.digest}")
        if each.judged and (refusing := [gateway for gateway in scope.gateways if gateway not in each.loads]):
            yield drifted("D3", reference, f"{', '.join(refusing)} would not load it {each.faults}".strip())
        elif each.faults:
            yield drifted("D3", reference, each.faults)


def _judge_latest(scope: Scope, plugin: SeenPlugin, rows: Rows) -> Iterator[DriftFinding]:
    """Judge where `latest` stands: at the newest stable version, as it moves forward only."""
    latest = plugin.latest
    newest = choose_newest_stable([*plugin.tags, latest.version if latest else ""])
    if not scope.follows_latest or newest is None or (latest and latest.damage):
        return
    reference, version = plugin.reference(LATEST), str(newest)
    if latest is None:
        # Between a version's tag and `latest` lies a moment of each publish.
        level = WARNING if rows and version not in rows else ERROR
        yield drifted("D5", reference, f"it is not there; the newest stable version is {version}", level=level)
    elif version not in plugin.tags:
        message = f"it is {version}, a version that has no tag (any more)"
        yield drifted("D5", reference, message, level=WARNING)
    elif version in plugin.by_tag and latest.digest != plugin.by_tag[version].digest:
        level = WARNING if rows and version not in rows else ERROR
        stands = latest.version or latest.digest
        yield drifted("D5", reference, f"it is {stands}, not the newest stable version {version}", level=level)


def _judge_places(places: Sequence[SeenPlugin], records: Mapping[Destination, Record]) -> Iterator[DriftFinding]:
    """Judge whether all registries have the same."""
    for tag in dict.fromkeys(each.tag for place in places for each in place.versions):
        found = {place.reference(tag): place.by_tag[tag].digest for place in places if tag in place.by_tag}
        digests = {reference: digest for reference, digest in found.items() if digest}
        if len(set(digests.values())) > 1:
            yield drifted("D6", next(iter(digests)), "; ".join(f"{ref} is {digest}" for ref, digest in digests.items()))
        for place in places:
            if tag not in place.tags and tag not in records[place.place].of(place.name):
                yield drifted("D7", place.reference(tag), f"it is not there, but it is {next(iter(found))}")


def _judge_source(source: SourcePlugin, places: Sequence[SeenPlugin]) -> Iterator[DriftFinding]:
    """Judge whether what the repository declares and tags is published."""
    first, published = places[0], {tag for place in places for tag in place.tags}
    if source.declared_version and source.declared_version not in published:
        newest = choose_newest_stable(published)
        message = f"VERSION declares it; {f'the newest published is {newest}' if newest else 'nothing is published'}"
        yield drifted("D8", first.reference(source.declared_version), message)
    for version, commit in source.releases.items():
        if version not in published:
            if version != source.declared_version:
                yield drifted("D9", first.reference(version), "its release tag is there, and it is not published")
            continue
        for place in places:
            seen = place.by_tag.get(version)
            if seen and seen.revision not in ("", commit):
                message = f"it is of commit {seen.revision[:12]}, and its release tag leads to {commit[:12]}"
                yield drifted("D9", place.reference(version), message)


def _record(scope: Scope, plugin: SeenPlugin, rows: Rows, accepted: Accepted) -> Iterator[RecordedVersion]:
    """Yield what is recorded from now on: what drifted as it was, unless it is accepted."""
    for row in rows.values():
        now = plugin.by_tag.get(row.version)
        is_gone = row.version not in plugin.tags
        was_moved = now is not None and now.digest not in ("", row.digest)
        if (is_gone or was_moved) and not accepted(plugin.reference(row.version)):
            yield row
        elif now is not None and now.digest:
            yield _recorded(scope, plugin, now, row.repository)
        elif not is_gone:
            yield row
    yield from (_recorded(scope, plugin, each) for each in plugin.versions if each.digest and each.tag not in rows)


def _recorded(scope: Scope, plugin: SeenPlugin, now: SeenVersion, repository: str = "") -> RecordedVersion:
    return RecordedVersion(
        plugin=plugin.name,
        version=now.tag,
        digest=now.digest,
        loads=", ".join(now.loads),
        faults=now.faults,
        judged=0 if now.damage else now.judged,
        repository=scope.repository or repository,
    )
