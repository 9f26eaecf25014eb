"""A plugin in three tenses: `Plugin` as found, `PluginBuild` as planned, `PublishedPlugin` as done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pluginyard.builds import PluginScript, Recipe
from pluginyard.oci import ArtifactReference, Descriptor, Destination, StoredManifest
from pluginyard.releases.tag import Release
from pluginyard.settings import RepositorySettings
from pluginyard.sources import Document, Source, SourceFile

if TYPE_CHECKING:
    from pluginyard.gateways import Verdict


@dataclass(frozen=True)
class Plugin:
    """Describe a plugin as it was found at a commit."""

    language: str
    name: str
    folder: str
    builder: str
    context: tuple[SourceFile, ...]
    """Everything the compiler can read; the build sees these files and no others."""
    documents: tuple[Document, ...]
    declared_version: str = ""
    buildrc: str = ""
    script: PluginScript | None = None
    needs_fetch: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the toolchain must be given to find its dependencies; `{work}` is the build's root."""
    below: str = ""
    """Path below each destination that it is published at."""
    placement: Mapping[str, Any] = field(default_factory=dict)
    """Phase and priority that spec.yaml declares, as a WasmPlugin says them."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PluginBuild:
    """Describe what will be built and where it will go, before anything is done."""

    release: Release
    source: Source
    plugin: Plugin
    recipe: Recipe
    settings: RepositorySettings
    fingerprint: str
    destinations: tuple[Destination, ...]

    @property
    def builder(self) -> str:
        """Return the builder as reports and annotations name it."""
        return f"{self.recipe.builder.name} ({self.recipe.toolchain}, {self.recipe.kind})"

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of the plugin, and of how it is built."""
        return (*self.plugin.notes, *self.recipe.notes)

    @property
    def references(self) -> tuple[ArtifactReference, ...]:
        """Return the version's reference in each destination."""
        name, version = self.release.name, self.release.version
        return tuple(place.artifact(name, version) for place in self.destinations)

    def to_json(self, context_bytes: int) -> dict[str, Any]:
        """Return the object that `pluginyard plan --output json` prints; `context_bytes` is the context's size."""
        return {
            "name": self.release.name,
            "language": self.release.language,
            "version": self.release.version,
            "repository": self.source.repository,
            "commit": self.source.commit,
            "folder": self.plugin.folder,
            "builder": self.builder,
            "fetch": self.recipe.fetch.script if self.recipe.fetch else None,
            "compile": self.recipe.compile.script,
            "context": {"files": len(self.plugin.context), "bytes": context_bytes},
            "layers": [item.title for item in self.plugin.documents] + ["plugin.tar.gz"],
            "fingerprint": self.fingerprint,
            "references": [str(reference) for reference in self.references],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class PackedArtifact:
    """Hold a manifest and where its blobs lie: files on this machine by digest, or a place that has them all."""

    manifest: StoredManifest
    layers: tuple[Descriptor, ...]
    files: Mapping[str, str]
    holders: tuple[Destination, ...] = ()
    """Where the artifact is published already; its blobs are copied from the first."""
    verdict: Verdict | None = None
    """What the judge said of these very bytes, if it was asked."""


@dataclass(frozen=True)
class Publication:
    """Say what happened in one destination: the state, and what was decided about `latest`."""

    destination: Destination
    state: str
    latest: str
    plain_http: bool = False
    """Whether it has no TLS, which is an option of every pull from it."""


@dataclass(frozen=True)
class PublishedPlugin:
    """Describe what is published: the value behind the report and the JSON output."""

    name: str
    language: str
    version: str
    commit: str
    commit_time: int
    repository: str
    fingerprint: str
    builder: str
    digest: str
    registries: tuple[Mapping[str, Any], ...]
    layers: tuple[Mapping[str, Any], ...]
    verdict: Mapping[str, Any]
    published: bool
    probe: Mapping[str, Any] | None = None
    placement: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """Return the reference in the first registry."""
        return str(self.registries[0]["reference"])

    def to_json(self) -> dict[str, Any]:
        """Return the object that `pluginyard publish --output json` prints."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "published": self.published,
            "name": self.name,
            "language": self.language,
            "version": self.version,
            "commit": self.commit,
            "commit_time": self.commit_time,
            "repository": self.repository,
            "fingerprint": self.fingerprint,
            "builder": self.builder,
            "registries": [dict(place) for place in self.registries],
            "layers": [dict(layer) for layer in self.layers],
            "verdict": dict(self.verdict),
            "probe": dict(self.probe) if self.probe else None,
            "placement": dict(self.placement),
            "notes": list(self.notes),
        }


def describe_published(
    build: PluginBuild,
    artifact: PackedArtifact,
    publications: Iterable[Publication],
    verdict: Verdict,
    probe: Mapping[str, Any] | None,
) -> PublishedPlugin:
    """Return what is published of `build`: the plan and what became of it in each destination."""
    known, release = tuple(publications), build.release
    places = (
        {
            "registry": str(item.destination),
            "reference": item.destination.reference_to(release.name, release.version),
            "digest": artifact.manifest.digest,
            "state": item.state,
            "latest": item.latest,
            "plain_http": item.plain_http,
        }
        for item in known
    )
    return PublishedPlugin(
        name=release.name,
        language=release.language,
        version=release.version,
        commit=build.source.commit,
        commit_time=build.source.commit_time,
        repository=build.source.repository,
        fingerprint=build.fingerprint,
        builder=build.builder,
        digest=artifact.manifest.digest,
        registries=tuple(places),
        layers=tuple({"title": layer.title, **layer.to_json()} for layer in artifact.layers),
        verdict=verdict.to_json(),
        published=any(item.state == "published" for item in known),
        probe=probe,
        placement=build.plugin.placement,
        notes=build.notes,
    )
