"""Look at what is published again: observe-published."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pluginyard import oci
from pluginyard.audits import Record, RecordedVersion, Scope, SeenPlugin, SeenVersion, newest_versions
from pluginyard.errors import PluginyardError, RegistryError
from pluginyard.forms import VerifyRequest
from pluginyard.gateways import Verdict
from pluginyard.oci import Destination, StoredManifest, annotations_of, blobs_of
from pluginyard.rules import ERROR
from pluginyard.versions import LATEST
from pluginyard.webhooks.watch import DAY
from tasks.doors.registries import ArtifactRepository, pull_artifact
from tasks.registries.session import Registries
from tasks.steps import log, step

_LOOKS = 8


@dataclass(frozen=True)
class _Look:
    """Hold what one look at one plugin in one destination needs."""

    repository: ArtifactRepository
    folder: Path
    verdicts: Mapping[str, RecordedVersion]
    """What is recorded of digests that were judged, and not too long ago."""


@step("observe-published", "of {request.title}", seconds=6 * 3600)
def observe_published(
    request: VerifyRequest, scope: Scope, records: Mapping[Destination, Record], folder: Path, registries: Registries
) -> tuple[SeenPlugin, ...]:
    """Look at every plugin in every destination, several at once; what cannot be reached holds back no other."""
    since = time.time() - request.pull_again_days * DAY

    def look(item: tuple[Destination, str]) -> SeenPlugin:
        place, name = item
        rows = records[place].of(name).values()
        verdicts = {row.digest: row for row in rows if row.judged > since and request.pull_again_days}
        try:
            repository = registries.open(place, name)
            return _observe(place, name, _Look(repository, folder, verdicts), request.newest)
        except PluginyardError as error:
            return SeenPlugin(place, name, error=error)

    with ThreadPoolExecutor(_LOOKS, thread_name_prefix="observe") as pool:
        pairs = [(place, plugin.name) for plugin in scope.plugins for place in scope.destinations]
        seen = tuple(pool.map(look, pairs))
    log(f"{sum(len(plugin.versions) for plugin in seen)} versions of {len(scope.plugins)} plugins")
    return seen


def _observe(place: Destination, name: str, look: _Look, count: int) -> SeenPlugin:
    tags = look.repository.list_tags()
    versions = tuple(_look_into(look, tag) for tag in newest_versions(tags, count))
    latest = _look_at(look.repository, LATEST)[0] if LATEST in tags else None
    return SeenPlugin(place, name, tags, versions, latest)


def _look_into(look: _Look, tag: str) -> SeenVersion:
    """Return what is under a version's tag, with the verdict: the recorded one of this digest, else pulled now."""
    seen, manifest = _look_at(look.repository, tag)
    if manifest is None:
        return seen
    known = look.verdicts.get(seen.digest)
    try:
        if known is None:
            return _with_verdict(seen, _pull(look, seen.digest))
        missing = [blob.digest for blob in blobs_of(manifest, tag) if not look.repository.has_blob(blob)]
    except PluginyardError as error:
        return replace(seen, damage=_damage(error))
    found = replace(seen, loads=known.gateways, faults=known.faults, judged=known.judged)
    return replace(found, damage=f"{', '.join(missing)} is missing") if missing else found


def _look_at(repository: ArtifactRepository, tag: str) -> tuple[SeenVersion, StoredManifest | None]:
    try:
        manifest = repository.find_manifest(tag)
    except PluginyardError as error:
        return SeenVersion(tag, damage=_damage(error)), None
    if manifest is None:
        return SeenVersion(tag, damage="the registry lists the tag, and has no manifest for it"), None
    notes = annotations_of(manifest)
    return SeenVersion(tag, manifest.digest, notes.get(oci.REVISION, ""), notes.get(oci.VERSION, "")), manifest


def _pull(look: _Look, digest: str) -> Verdict:
    folder = Path(tempfile.mkdtemp(dir=look.folder))
    try:
        return pull_artifact(look.repository, digest, folder).verdict
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _with_verdict(seen: SeenVersion, verdict: Verdict) -> SeenVersion:
    loads = tuple(gate.gateway for gate in verdict.gateways if gate.loads)
    return replace(seen, loads=loads, faults=_faults_of(verdict), judged=int(time.time()))


def _faults_of(verdict: Verdict) -> str:
    found: Iterable[str] = (f"{each.rule}: {each.message}" for each in verdict.findings if each.level == ERROR)
    return " ".join("; ".join(found).split())[:300]


def _damage(error: PluginyardError) -> str:
    """Return what is wrong with the bytes that a registry serves; raise `error` where it is about something else."""
    is_of_content = isinstance(error, RegistryError) or isinstance(error.__cause__, FileNotFoundError)
    if error.transient or not is_of_content:
        raise error
    return error.message
