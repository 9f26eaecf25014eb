"""Artifacts and places to put them, for tests of the registry door."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pluginyard import oci
from pluginyard.oci import UNKNOWN_CONFIG, Descriptor, Destination, StoredManifest, digest_of
from pluginyard.releases import render_manifest
from tasks.doors.registries import Access, ArtifactRepository, Credentials, OpenContent, open_repository, push_version
from tests.machine.faulty_proxy import FaultyProxy
from tests.machine.registries import KINDS, RunningRegistry

FAST = Access(plain_http=True, connect_seconds=2, read_seconds=5, attempts=3)
README = "application/vnd.module.wasm.doc.v1+markdown"


@dataclass(frozen=True)
class SampleArtifact:
    """A manifest with layers like a plugin's, and their content."""

    manifest: StoredManifest
    layers: tuple[Descriptor, ...]
    blobs: Mapping[str, OpenContent]
    contents: Mapping[str, bytes]

    @property
    def archive(self) -> Descriptor:
        return self.layers[-1]


def make_artifact(seed: str, size: int = 3000, version: str = "1.0.0") -> SampleArtifact:
    """Return an artifact whose bytes follow from `seed`: README.md, then an archive of `size` bytes."""
    texts = [f"# {seed}\n".encode(), random.Random(seed).randbytes(size)]
    named = zip(texts, ((README, "README.md"), (oci.ARCHIVE_LAYER, "plugin.tar.gz")), strict=True)
    layers = tuple(
        Descriptor(media_type, digest_of(text), len(text), {oci.TITLE: title}) for text, (media_type, title) in named
    )
    contents = {digest_of(text): text for text in (*texts, b"{}")}
    blobs: dict[str, OpenContent] = {digest: (lambda text=text: io.BytesIO(text)) for digest, text in contents.items()}
    manifest = render_manifest(layers, {oci.CREATED: "2024-07-08T04:00:00Z", oci.VERSION: version}, UNKNOWN_CONFIG)
    return SampleArtifact(manifest, layers, blobs, contents)


def new_name() -> str:
    """Return a plugin name no other test uses."""
    return f"plugin-{uuid.uuid4().hex[:10]}"


@dataclass(frozen=True)
class Place:
    """A destination with everything needed to enter it."""

    destination: Destination
    access: Access
    credentials: Credentials | None
    registry: RunningRegistry | None = None

    def open(self, name: str) -> ArtifactRepository:
        return open_repository(self.destination, name, self.access, self.credentials)


def place_in(registry: RunningRegistry) -> Place:
    """Return the place for plugins in a running registry."""
    credentials = Credentials(registry.username, registry.password, "the test") if registry.username else None
    access = Access(registry.plain_http, registry.ca_bundle, connect_seconds=2, read_seconds=10, attempts=3)
    return Place(Destination(registry.host, "team/plugins"), access, credentials, registry)


def through(proxy: FaultyProxy, name: str, access: Access = FAST) -> ArtifactRepository:
    """Open a repository behind the proxy, over TLS if it speaks it."""
    if proxy.ca_bundle:
        access = replace(access, plain_http=False, ca_bundle=proxy.ca_bundle)
    return open_repository(Destination(proxy.host, "team/plugins"), name, access, None)


def stored_blob(registry: RunningRegistry, size: int = 2_000_000) -> tuple[str, Descriptor, bytes]:
    """Put a blob into the registry, past every proxy; return the repository's name, the blob, its content."""
    name = new_name()
    artifact = make_artifact(name, size=size)
    push_version(place_in(registry).open(name), artifact.manifest, artifact.blobs, "1.0.0")
    return name, artifact.archive, artifact.contents[artifact.archive.digest]


@pytest.fixture(params=[*KINDS, "layout"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Every kind of destination, one after the other: what holds for one holds for all."""
    if request.param == "layout":
        yield Place(Destination("", str(tmp_path / "layout")), FAST, None)
    else:
        yield place_in(request.getfixturevalue(f"{request.param}_registry"))
