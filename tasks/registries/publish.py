"""To the registries and back: log-in, push-artifact, verify-artifact. Their tries are the door's, which knows why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError, VerificationError
from pluginyard.gateways import Verdict
from pluginyard.oci import Destination, StoredManifest
from pluginyard.releases import PackedArtifact, PluginBuild, Publication
from tasks.doors.registries import ArtifactRepository, find_ours, publishing, pull_artifact, write_module
from tasks.registries.session import Registries
from tasks.steps import log, step


@step("log-in", "{build.release.name}", seconds=600)
def log_in(build: PluginBuild, artifact: PackedArtifact, registries: Registries) -> dict[str, str]:
    """Log in at every destination before anything is pushed; return where credentials came from.

    Not where the very artifact is: a second publish asks for no more than reading.
    """
    origins: dict[str, str] = {}
    for place in build.destinations:
        repository = registries.open(place, build.release.name)
        origins[str(place)] = "already there, nothing to prove" if place in artifact.holders else repository.log_in()
        log(f"log-in at {place}: {origins[str(place)]}")
    return origins


@step("push-artifact", "{build.release.name} {build.release.version}", seconds=3600)
def push_artifact(
    build: PluginBuild, artifact: PackedArtifact, registries: Registries, *, overwrite: bool
) -> tuple[Publication, ...]:
    """Publish the artifact in every destination and let `latest` follow there; safe to repeat after any failure.

    One that fails holds back no other: the error says where the artifact is now.
    """
    repositories = {place: registries.open(place, build.release.name) for place in build.destinations}
    if not overwrite and len(repositories) > 1:  # of a single one the door asks the same before it writes
        for repository in repositories.values():  # before the first is written to: none is left half published
            find_ours(repository, build.release.version, digest=artifact.manifest.digest)
    states: dict[Destination, str] = {}
    publications, failures = [], []
    for place, repository in repositories.items():
        try:
            states[place] = _publish(build, artifact, place, repositories, overwrite=overwrite)
            log(f"{states[place]}: {place.reference_to(build.release.name, build.release.version)}")
            latest = _follow(build, artifact, repository)
            log(f"latest in {place}: {latest}")
            publications.append(Publication(place, states[place], latest, registries.lacks_tls(place)))
        except PluginyardError as error:
            failures.append(error)
    if failures:
        raise _partly(failures, states)
    return tuple(publications)


def _partly(failures: Sequence[PluginyardError], states: Iterable[Destination]) -> PluginyardError:
    """Return the first failure, with the others and with what is done."""
    first = failures[0]
    for other in failures[1:]:
        first.add(f"{other.subject}: {other.message}")
    done = ", ".join(map(str, states))
    return first.add(f"the version is in {done}", "then run it again: only what is missing is done") if done else first


@step("verify-artifact", "{build.release.name} {build.release.version}", seconds=3600)
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
    return write_module(archive, folder / "plugin.wasm")


def _publish(
    build: PluginBuild,
    artifact: PackedArtifact,
    place: Destination,
    repositories: Mapping[Destination, ArtifactRepository],
    *,
    overwrite: bool,
) -> str:
    repository = repositories[place]
    if place in artifact.holders:
        return "already-there"
    if not artifact.holders:
        blobs = {digest: _opener(Path(path)) for digest, path in artifact.files.items()}
        return publishing.push_version(
            repository, artifact.manifest, blobs, build.release.version, overwrite=overwrite, is_free=not overwrite
        )
    holder = repositories[artifact.holders[0]]
    publishing.copy_artifact(
        holder, repository, artifact.manifest.digest, tag=build.release.version, overwrite=overwrite
    )
    return "published"


def _opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


def _follow(build: PluginBuild, artifact: PackedArtifact, repository: ArtifactRepository) -> str:
    if build.settings.latest == "never":
        return "kept: the repository's settings say never"
    try:
        choice = publishing.move_latest(repository, artifact.manifest, build.release.version)
    except (AuthenticationError, RegistryError) as error:
        if error.transient:
            raise
        if build.settings.latest == "if-allowed":
            return f"kept: {error.message}"
        remedy = "if the registry does not let latest move, set latest: never, or if-allowed, in pluginyard.yaml"
        raise error.add("latest is not moved", remedy) from None
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
