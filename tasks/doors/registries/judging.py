"""Pull an artifact as a gateway would, every byte verified, and judge it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pluginyard import oci
from pluginyard.archives import PLUGIN, open_archive
from pluginyard.errors import RegistryError
from pluginyard.judge import judge_artifact
from pluginyard.oci import Descriptor, StoredManifest
from pluginyard.plugins import PackedArtifact
from pluginyard.verdicts import Verdict
from tasks.doors.registries.received import blobs_of
from tasks.doors.registries.repository import Repository

_LIMIT = 256 << 20
_BLOCK = 1 << 20
_THREADS = 4


@dataclass(frozen=True)
class PulledArtifact:
    """Hold what a registry serves: the manifest, the verdict, and the folder with the blobs that were read."""

    manifest: StoredManifest
    verdict: Verdict
    folder: Path

    def blob(self, digest: str) -> Path:
        """Return the file that holds the blob with `digest`, if it was pulled."""
        return self.folder / digest.replace(":", "-")


def pull_artifact(
    repository: Repository,
    tag_or_digest: str,
    folder: Path,
    *,
    version: str = "",
    declared_version: str = "",
    known: PackedArtifact | None = None,
) -> PulledArtifact:
    """Pull a manifest and all its blobs into `folder`, and judge them; raise RegistryError where it is not there.

    Every byte is compared with its digest. So where the manifest is that of `known`, whose bytes were judged before
    they were pushed, the verdict is the one of then: it follows from the bytes.
    """
    manifest = repository.find_manifest(tag_or_digest)
    if manifest is None:
        raise RegistryError(
            f"there is no {tag_or_digest}", subject=str(repository), remedy="check the tag, or publish it"
        )
    folder.mkdir(parents=True, exist_ok=True)

    def open_blob(blob: Descriptor) -> BinaryIO:
        path = folder / blob.digest.replace(":", "-")
        if not path.exists():
            with path.open("wb") as target:
                repository.pull_blob(blob, target)
        return path.open("rb")

    def resolve_child(child: Descriptor) -> StoredManifest:
        found = repository.find_manifest(child.digest)
        if found is None:
            raise RegistryError(f"the index names {child.digest}, which is not there", subject=str(repository))
        return found

    if manifest.media_type not in (oci.INDEX, oci.DOCKER_MANIFEST_LIST):
        # Side by side: each is a round trip, and a password's hash where the registry checks one every time.
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="pull") as pool:
            list(pool.map(lambda blob: open_blob(blob).close(), blobs_of(manifest, str(repository))))
    if known and known.verdict and known.manifest.content == manifest.content:
        return PulledArtifact(manifest, known.verdict, folder)
    verdict = judge_artifact(
        manifest=manifest,
        open_blob=open_blob,
        resolve_child=resolve_child,
        version=version,
        declared_version=declared_version,
    )
    return PulledArtifact(manifest, verdict, folder)


def extract_module(archive: Path, target: Path) -> Path:
    """Write the archive's `plugin.wasm` to `target` as a gateway would find it; return `target`."""
    with archive.open("rb") as layer, target.open("wb") as module:
        reader = open_archive(layer, _LIMIT)
        for entry in reader:
            if entry.base == PLUGIN:
                while block := reader.read(_BLOCK):
                    module.write(block)
                return target
    raise RegistryError("the archive holds no plugin.wasm", subject=archive.name, remedy="publish it again")
