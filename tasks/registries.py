"""To the registries and back: log-in, push-artifact, verify-artifact; and what is published already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal

from pluginyard import oci
from pluginyard.batches import PlannedPlugin, RepositoryPlan, as_snapshot
from pluginyard.errors import PluginyardError, RegistryUnavailableError, VerificationError, VersionTakenError
from pluginyard.oci import StoredManifest
from pluginyard.plugins import PackedArtifact, PluginBuild, Publication
from pluginyard.references import Destination
from pluginyard.verdicts import Verdict
from tasks.connections import Registries
from tasks.doors.registries import Repository, publishing
from tasks.doors.registries.answers import version_taken
from tasks.doors.registries.judging import extract_module, pull_artifact
from tasks.doors.registries.received import annotations_of, layers_of
from tasks.policies import log, step

RETRIES = 3
_LOOK_UPS = 8


def find_published(build: PluginBuild, registries: Registries, *, overwrite: bool) -> PackedArtifact | None:
    """Return the artifact if a destination holds this very build already; None where it must be built.

    The fingerprint is an annotation of what is published, so the registry answers for every machine.
    Raises VersionTakenError, before anything is built, where the version holds other content.
    """
    known = _without_damaged(_find_published(build, registries, overwrite=overwrite), build, registries)
    if known is not None:
        log(f"already published in {', '.join(map(str, known.holders))}: {known.manifest.digest}")
    return known


def _find_published(build: PluginBuild, registries: Registries, *, overwrite: bool) -> PackedArtifact | None:
    found: dict[Destination, StoredManifest] = {}
    for reference in build.references:
        place = reference.destination
        stored = registries.open(place, build.release.name).find_manifest(build.release.version)
        if stored is None:
            continue
        if annotations_of(stored).get(oci.FINGERPRINT) == build.fingerprint:
            found[place] = stored
        elif not overwrite:
            known = annotations_of(stored)
            raise VersionTakenError(
                f"the version is published already, from other inputs: {stored.digest}, commit "
                f"{known.get(oci.REVISION, 'unknown')}, builder {known.get(oci.BUILDER, 'unknown')}",
                subject=str(reference),
                remedy="release a new version; --overwrite moves the tag, and gateways that hold it notice late",
            )
    if not found:
        return None
    first, manifest = next(iter(found.items()))
    holders = tuple(place for place, stored in found.items() if stored.digest == manifest.digest)
    return PackedArtifact(manifest, layers_of(manifest, str(first)), {}, holders)


def _without_damaged(known: PackedArtifact | None, build: PluginBuild, registries: Registries) -> PackedArtifact | None:
    """Take a folder whose blobs are damaged for one that lacks the artifact: so publishing again mends it."""
    if known is None:
        return None
    opened = {place: registries.open(place, build.release.name) for place in known.holders}
    intact = tuple(place for place, repository in opened.items() if repository.is_intact(known.manifest))
    return replace(known, holders=intact) if intact else None


@step("look-up", "{plan.summary}", seconds=3600, retries=RETRIES)
def look_up(
    plan: RepositoryPlan, registries: Registries, *, when_taken: Literal["refuse", "snapshot"]
) -> RepositoryPlan:
    """Ask the registries which of the planned plugins are published already, several at once.

    One that they refuse to tell about holds back no other. Raises RegistryUnavailableError, after a few questions,
    where none is answered at all.
    """
    look_ups = _LookUps(registries, when_taken)
    with ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="look-up") as pool:
        first = tuple(pool.map(look_ups.ask, plan.plugins))
        if look_ups.unavailable and not look_ups.answered:
            raise look_ups.unavailable
        found = RepositoryPlan(tuple(pool.map(look_ups.ask_if_new, plan.plugins, first)))
    log(found.summary)
    return found


class _LookUps:
    """Ask about one plugin after the other; threads may share it.

    As long as nothing was answered, one question without an answer is enough: each is tried for a while.
    """

    def __init__(self, registries: Registries, when_taken: str) -> None:
        self._registries, self._when_taken = registries, when_taken
        self.answered = False
        self.unavailable: RegistryUnavailableError | None = None

    def ask(self, plugin: PlannedPlugin) -> PlannedPlugin | None:
        """Return the plugin as the registries know it; None where it is not asked about."""
        if plugin.state != "build" or plugin.build is None:
            return plugin
        if self.unavailable and not self.answered:
            return None
        try:
            found = self._look_up(plugin, plugin.build)
        except RegistryUnavailableError as error:
            self.unavailable = error
            return plugin.failed(error)
        except Exception as error:
            found = plugin.failed(error)
        self.answered = True
        return found

    def ask_if_new(self, plugin: PlannedPlugin, found: PlannedPlugin | None) -> PlannedPlugin:
        """Return what was found, or ask now that there are answers."""
        return found or self.ask(plugin) or plugin

    def _look_up(self, plugin: PlannedPlugin, build: PluginBuild) -> PlannedPlugin:
        try:
            return _state_of(plugin, build, self._registries)
        except VersionTakenError as error:
            if self._when_taken == "refuse" or not build.plugin.declared_version:
                return plugin.refused(error)
        snapshot = as_snapshot(build)
        changed = plugin.because("build", "changed under a published version", build=snapshot)
        return _state_of(changed, snapshot, self._registries)


def _state_of(plugin: PlannedPlugin, build: PluginBuild, registries: Registries) -> PlannedPlugin:
    here = replace(plugin, release=build.release)
    known = _find_published(build, registries, overwrite=False)
    if known is None:
        return here
    if set(known.holders) != set(build.destinations):
        return here.because("build", "not in every registry yet", artifact=known)
    return here.because("published", "same fingerprint", digest=known.manifest.digest)


@step("log-in", "{build.release.name}", seconds=600, retries=RETRIES)
def log_in(build: PluginBuild, artifact: PackedArtifact, registries: Registries) -> dict[str, str]:
    """Prove for every destination that we may push, before anything is; return where credentials came from.

    The proof writes, so there is none where the very artifact is: a second publish changes nothing.
    """
    origins: dict[str, str] = {}
    for place in build.destinations:
        repository = registries.open(place, build.release.name)
        origins[str(place)] = "already there, nothing to prove" if place in artifact.holders else repository.log_in()
        log(f"log-in at {place}: {origins[str(place)]}")
    return origins


@step("push-artifact", "{build.release.name} {build.release.version}", seconds=3600, retries=RETRIES)
def push_artifact(
    build: PluginBuild, artifact: PackedArtifact, registries: Registries, *, overwrite: bool
) -> tuple[Publication, ...]:
    """Publish the artifact in every destination and let `latest` follow there; safe to repeat after any failure.

    One that fails holds back no other: the error says where the artifact is now.
    """
    repositories = {place: registries.open(place, build.release.name) for place in build.destinations}
    if not overwrite and len(repositories) > 1:  # of a single one the door asks the same before it writes
        _refuse_taken(build, artifact, repositories)
    states: dict[Destination, str] = {}
    publications, failures = [], []
    for place, repository in repositories.items():
        try:
            states[place] = _publish(build, artifact, place, repositories, overwrite=overwrite)
            log(f"{states[place]}: {place.reference_to(build.release.name, build.release.version)}")
            latest = _follow(build, artifact, repository)
            log(f"latest in {place}: {latest}")
            publications.append(Publication(place, states[place], latest))
        except PluginyardError as error:
            failures.append(error)
    if failures:
        raise _partly(failures, states)
    return tuple(publications)


def _partly(failures: Sequence[PluginyardError], states: Iterable[Destination]) -> PluginyardError:
    """Return the first failure, with the others and with what is done: nobody should have to look for that."""
    first = failures[0]
    for other in failures[1:]:
        first.add(f"{other.subject}: {other.message}")
    done = ", ".join(map(str, states))
    return first.add(f"the version is in {done}", "then run it again: only what is missing is done") if done else first


@step("verify-artifact", "{build.release.name} {build.release.version}", seconds=3600, retries=RETRIES)
def verify_artifact(build: PluginBuild, artifact: PackedArtifact, registries: Registries, folder: Path) -> Verdict:
    """Pull by digest from every destination, compare every byte, and judge what was pulled."""
    verdicts = []
    for number, place in enumerate(build.destinations):
        repository = registries.open(place, build.release.name)
        with ThreadPoolExecutor(1, thread_name_prefix="tag") as beside:
            tagged = beside.submit(repository.find_manifest, build.release.version)
            pulled = pull_artifact(
                repository,
                artifact.manifest.digest,
                folder / str(number),
                version=build.release.version,
                declared_version=build.plugin.declared_version,
                known=artifact,
            )
        _compare(artifact, place, {"digest": pulled.manifest, "version tag": tagged.result()})
        pulled.verdict.require(build.settings.gateways, subject=str(place))
        verdicts.append(pulled.verdict)
        log(f"pulled from {place}: {artifact.manifest.digest}; {pulled.verdict.summary}")
    return verdicts[0]


def module_of(artifact: PackedArtifact, folder: Path) -> Path:
    """Return the module as it was pulled from the first destination."""
    archive = folder / "0" / artifact.layers[-1].digest.replace(":", "-")
    return extract_module(archive, folder / "plugin.wasm")


def _refuse_taken(build: PluginBuild, artifact: PackedArtifact, places: dict[Destination, Repository]) -> None:
    """Look at every destination before the first is written to, so that none is left half published."""
    for place, repository in places.items():
        stored = repository.find_manifest(build.release.version)
        if stored is not None and stored.digest != artifact.manifest.digest:
            raise version_taken(str(place.artifact(build.release.name, build.release.version)), stored.digest)


def _publish(
    build: PluginBuild,
    artifact: PackedArtifact,
    place: Destination,
    repositories: Mapping[Destination, Repository],
    *,
    overwrite: bool,
) -> str:
    repository = repositories[place]
    if place in artifact.holders:
        return "already-there"
    if not artifact.holders:
        blobs = {digest: _opener(Path(path)) for digest, path in artifact.files.items()}
        return publishing.push_artifact(
            repository, artifact.manifest, blobs, build.release.version, overwrite=overwrite, is_free=not overwrite
        )
    holder = repositories[artifact.holders[0]]
    publishing.copy_artifact(
        holder, repository, artifact.manifest.digest, tag=build.release.version, overwrite=overwrite
    )
    return "published"


def _opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


def _follow(build: PluginBuild, artifact: PackedArtifact, repository: Repository) -> str:
    if build.settings.latest == "never":
        return "kept: the repository's settings say never"
    choice = publishing.move_latest(repository, artifact.manifest, build.release.version)
    return f"{'moved' if choice.move else 'kept'}: {choice.reason}"


def _compare(artifact: PackedArtifact, place: Destination, served: Mapping[str, StoredManifest | None]) -> None:
    for what, manifest in served.items():
        if manifest is None or manifest.content != artifact.manifest.content:
            raise VerificationError(
                f"by its {what} the registry serves {manifest.digest if manifest else 'nothing'}, "
                f"not {artifact.manifest.digest}",
                subject=str(place),
                remedy="look at who else writes there, then publish again",
            )
