"""Publish an artifact whole: blobs side by side, only then the manifest by its tag, and last `latest`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

from pluginyard.errors import RegistryError, RegistryUnavailableError
from pluginyard.oci import VERSION, Descriptor, StoredManifest, annotations_of, blobs_of, children_of
from pluginyard.versions import LATEST, LatestChoice, choose_latest, choose_newest_stable
from tasks.doors.registries.remote import TagMovedError
from tasks.doors.registries.repository import ArtifactRepository, OpenContent, find_ours

_THREADS = 4
_LATEST_TRIES = 5


def push_version(
    repository: ArtifactRepository,
    manifest: StoredManifest,
    blobs: Mapping[str, OpenContent],
    version_tag: str,
    *,
    overwrite: bool = False,
    mount_from: str = "",
    is_free: bool = False,
) -> Literal["published", "already-there"]:
    """Publish `manifest` with the `blobs` (by digest) under `version_tag`.

    A version never moves: with the same digest it is already there, with another one VersionTakenError is
    raised before anything is uploaded, unless `overwrite`. Who looked a moment ago says `is_free`: then only the
    tag itself is guarded. Whatever breaks off leaves no tag behind.
    """
    if not is_free and find_ours(repository, version_tag, digest=manifest.digest, overwrite=overwrite):
        return "already-there"
    push_blobs(repository, blobs_of(manifest, str(repository)), blobs, mount_from=mount_from)
    repository.push_manifest(manifest, version_tag, replace=overwrite)
    return "published"


def push_blobs(
    repository: ArtifactRepository,
    descriptors: Sequence[Descriptor],
    blobs: Mapping[str, OpenContent],
    *,
    mount_from: str = "",
) -> None:
    """Push the blobs side by side; the first failure stops those that have not begun, and is raised."""
    for descriptor in descriptors:
        if descriptor.digest not in blobs:
            raise RegistryError(
                f"the content of {descriptor.digest} is missing", subject=str(repository), remedy="pack it again"
            )
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="push") as pool:
        # The last first: the archive, which is the largest and the likeliest to be new.
        pushes = [
            pool.submit(repository.push_blob, descriptor, blobs[descriptor.digest], mount_from=mount_from)
            for descriptor in reversed(descriptors)
        ]
        wait(pushes, return_when=FIRST_EXCEPTION)
        pool.shutdown(wait=True, cancel_futures=True)
    for push in pushes:
        if not push.cancelled():
            push.result()


def move_latest(repository: ArtifactRepository, manifest: StoredManifest, version: str) -> LatestChoice:
    """Let `latest` stand for the very digest of `version`, if that is forward; return what was chosen and why.

    Publishers may race: each looks again after it has moved the tag, and moves it on to a newer version.
    """
    standing, tags = _look(repository)
    choice = choose_latest(version, existing_tags=tags, latest_version=_version_of(standing))
    if not choice.move:
        return choice
    if standing is not None and standing.digest == manifest.digest:
        return LatestChoice(False, f"it is {version} already")
    target: StoredManifest | None = manifest
    for _ in range(_LATEST_TRIES):
        stands = ""
        if target is not None:
            with suppress(TagMovedError):
                stands = repository.push_manifest(target, LATEST)
        newest = str(choose_newest_stable([*repository.list_tags(), version]))
        if newest == version:
            target = manifest
        else:
            target, standing = repository.find_manifest(newest), repository.find_manifest(LATEST)
            stands = standing.digest if standing else ""
        if target and target.digest == stands:
            return choice if newest == version else LatestChoice(False, f"{newest} is newer")
    said, remedy = f"other clients keep moving {LATEST}", "publish again when they are done"
    raise RegistryUnavailableError(said, subject=str(repository), remedy=remedy)


def _look(repository: ArtifactRepository) -> tuple[StoredManifest | None, tuple[str, ...]]:
    """Return what `latest` stands for, and all tags; asked side by side."""
    with ThreadPoolExecutor(1, thread_name_prefix="look") as pool:
        standing = pool.submit(repository.find_manifest, LATEST)
        tags = repository.list_tags()
        return standing.result(), tags


def copy_artifact(
    source: ArtifactRepository, target: ArtifactRepository, digest: str, *, tag: str = "", overwrite: bool = False
) -> str:
    """Copy a manifest or index with everything in it, byte for byte; return its digest.

    Blobs are mounted within one registry, else streamed through a temporary file. An index is copied with
    all its manifests. `tag` is set last, under the rule of `push_version`.
    """
    manifest = source.find_manifest(digest)
    if manifest is None:
        raise RegistryError(f"there is no {digest}", subject=str(source), remedy="check the digest")
    if tag:
        find_ours(target, tag, digest=manifest.digest, overwrite=overwrite)
    for child in children_of(manifest, str(source)):
        copy_artifact(source, target, child.digest)
    for descriptor in blobs_of(manifest, str(source)):
        _copy_blob(source, target, descriptor)
    return target.push_manifest(manifest, tag or None, replace=overwrite)


def _copy_blob(source: ArtifactRepository, target: ArtifactRepository, descriptor: Descriptor) -> None:
    mount_from = source.name if source.host and source.host == target.host else ""
    with tempfile.TemporaryDirectory(prefix="pluginyard-copy-") as folder:
        path = Path(folder) / "blob"

        def open_content() -> BinaryIO:
            if not path.exists():
                with path.open("wb") as file:
                    source.pull_blob(descriptor, file)
            return path.open("rb")

        target.push_blob(descriptor, open_content, mount_from=mount_from)


def _version_of(manifest: StoredManifest | None) -> str:
    """Return the version a manifest says it is: tags may have been cleaned away, `latest` stays."""
    return annotations_of(manifest).get(VERSION, "") if manifest else ""
