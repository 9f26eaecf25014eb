"""Pull an artifact as a gateway would, every byte verified, and judge it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pluginyard.errors import PluginyardError, RegistryError
from pluginyard.gateways import Verdict
from pluginyard.gateways.judge import (
    PLUGIN,
    ResolveChild,
    UnreadableManifestError,
    judge_artifact,
    judge_reference,
    judge_tags,
    open_archive,
    resolve_artifact,
)
from pluginyard.oci import ArtifactReference, Descriptor, StoredManifest
from pluginyard.releases import PackedArtifact
from pluginyard.rules import INFORMATION, Finding, find
from pluginyard.versions import LATEST, choose_newest_stable
from tasks.doors.registries.repository import ArtifactRepository

_LIMIT = 256 << 20
_MOST_BYTES = 1 << 30
"""Most bytes of all blobs that are pulled: several times what a gateway takes."""
_BLOCK = 1 << 20
_THREADS = 4


@dataclass(frozen=True)
class PulledArtifact:
    """Hold what a registry serves: the manifest, the verdict, and the folder with the blobs that were read."""

    manifest: StoredManifest
    layers: tuple[Descriptor, ...]
    """Of the image that gateways take: an index's child. None where there is no image."""
    verdict: Verdict
    folder: Path

    def blob(self, digest: str) -> Path:
        """Return the file that holds the blob with `digest`, if it was pulled."""
        return self.folder / digest.replace(":", "-")


def pull_artifact(
    repository: ArtifactRepository,
    tag_or_digest: str,
    folder: Path,
    *,
    version: str = "",
    declared_version: str = "",
    known: PackedArtifact | None = None,
) -> PulledArtifact:
    """Pull a manifest and all its blobs into `folder`, and judge them; raise RegistryError where it is not there.

    What gateways would not take for an image is not pulled: the verdict says so. Every byte is compared with its
    digest. So where the manifest is that of `known`, whose bytes were judged before they were pushed, the verdict is
    the one of then: it follows from the bytes.
    """
    pull = _Pull(repository, folder)
    manifest = pull.find(tag_or_digest, f"there is no {tag_or_digest}", "check the reference, or publish it")
    folder.mkdir(parents=True, exist_ok=True)
    layers, blobs = _contents(manifest, pull.resolve_child)
    _refuse_large(blobs, str(repository))
    # Side by side: each is a round trip, and a password's hash where the registry checks one every time.
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="pull") as pool:
        list(pool.map(lambda blob: pull.open_blob(blob).close(), blobs))
    if known and known.verdict and known.manifest.content == manifest.content:
        return PulledArtifact(manifest, layers, known.verdict, folder)
    verdict = judge_artifact(
        manifest=manifest,
        open_blob=pull.open_blob,
        resolve_child=pull.resolve_child,
        version=version,
        declared_version=declared_version,
    )
    return PulledArtifact(manifest, layers, verdict, folder)


class _Pull:
    """Bring each blob and each child of an index here once."""

    def __init__(self, repository: ArtifactRepository, folder: Path) -> None:
        self._repository, self._folder = repository, folder
        self._children: dict[str, StoredManifest] = {}

    def find(self, tag_or_digest: str, said: str, remedy: str) -> StoredManifest:
        manifest = self._repository.find_manifest(tag_or_digest)
        if manifest is None:
            raise RegistryError(said, subject=str(self._repository), remedy=remedy)
        return manifest

    def open_blob(self, blob: Descriptor) -> BinaryIO:
        path = self._folder / blob.digest.replace(":", "-")
        if not path.exists():
            with path.open("wb") as target:
                self._repository.pull_blob(blob, target)
        return path.open("rb")

    def resolve_child(self, child: Descriptor) -> StoredManifest:
        if child.digest not in self._children:
            said = f"the index names {child.digest}, which is not there"
            self._children[child.digest] = self.find(child.digest, said, "publish it again")
        return self._children[child.digest]


def _contents(
    manifest: StoredManifest, resolve_child: ResolveChild
) -> tuple[tuple[Descriptor, ...], tuple[Descriptor, ...]]:
    """Return the layers of the image, and its blobs, each once; none of both where gateways see no image."""
    try:
        artifact = resolve_artifact(manifest, resolve_child)
    except UnreadableManifestError:
        return (), ()
    blobs = {blob.digest: blob for blob in (artifact.config, *artifact.layers)}
    return artifact.layers, tuple(blobs.values())


def _refuse_large(blobs: Iterable[Descriptor], subject: str) -> None:
    total = sum(blob.size for blob in blobs)
    if total > _MOST_BYTES:
        raise RegistryError(
            f"its blobs have {total:,} bytes; no plugin has more than {_MOST_BYTES:,}",
            subject=subject,
            remedy="check that the reference names a plugin",
        )


def judge_names(repository: ArtifactRepository, reference: ArtifactReference, digest: str) -> tuple[Finding, ...]:
    """Return what is wrong with the names of the artifact that has `digest`: rules T1 and T2.

    T2 is for the newest stable version and for `latest`, where there is one.
    """
    found = judge_reference(reference.repository or None, reference.tag or None)
    if reference.destination.is_layout or not reference.tag:
        return found
    try:
        return (*found, *_judge_latest(repository, reference.tag, digest))
    except PluginyardError as error:
        said = f"not checked: {error.message}"
        return (*found, find("T2", said, "ask for the right to list tags", level=INFORMATION))


def _judge_latest(repository: ArtifactRepository, tag: str, digest: str) -> tuple[Finding, ...]:
    tags = repository.list_tags()
    newest = str(choose_newest_stable(tags) or "")
    if LATEST not in tags or tag not in (LATEST, newest):
        return ()
    other = repository.find_manifest(newest if tag == LATEST else LATEST) if newest else None
    if other is None:
        return ()
    version, latest = (other.digest, digest) if tag == LATEST else (digest, other.digest)
    return judge_tags(version, latest, True)


def write_module(archive: Path, target: Path) -> Path:
    """Write the archive's `plugin.wasm` to `target` as a gateway would find it; return `target`."""
    with archive.open("rb") as layer, target.open("wb") as module:
        reader = open_archive(layer, _LIMIT)
        for entry in reader:
            if entry.base == PLUGIN:
                while block := reader.read(_BLOCK):
                    module.write(block)
                return target
    raise RegistryError("the archive holds no plugin.wasm", subject=archive.name, remedy="publish it again")
