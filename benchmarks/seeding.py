"""Have a whole repository published before anything is measured: every plugin planned as a run would, none built.

All share one module that was really built. What is under each version carries the fingerprint that the planner
computes, so that the next run finds every plugin unchanged.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

from benchmarks.stage import Stage
from flows.machine import find_machine
from pluginyard.builds import pack_module
from pluginyard.forms import RepositoryRequest
from pluginyard.oci import TITLE, Descriptor, digest_of
from pluginyard.releases import CONFIG_CONTENT, PluginBuild, RepositoryPlan, choose_annotations, render_manifest
from pluginyard.settings import choose_config_media_type
from pluginyard.versions import LATEST
from tasks.doors.registries import Access, ArtifactRepository, OpenContent, open_repository, push_version
from tasks.sources import plan_repository
from tests.machine.registries import RunningRegistry

_THREADS = 4


@dataclass(frozen=True)
class Seed:
    """Hold what every plugin is published with, besides its own documents."""

    work_tree: Path
    layer: Descriptor
    archive: Path

    def publish(self, build: PluginBuild, *, mount_from: str = "") -> ArtifactRepository:
        """Publish one plugin under its version and `latest`; return its repository."""
        place = build.destinations[0]
        repository = open_repository(place, build.release.name, Access(plain_http=True), None)
        blobs: dict[str, OpenContent] = {
            self.layer.digest: lambda: self.archive.open("rb"),
            digest_of(CONFIG_CONTENT): partial(BytesIO, CONFIG_CONTENT),
        }
        layers = []
        for item in build.plugin.documents:
            content = (self.work_tree / item.file.path).read_bytes()
            layers.append(Descriptor(item.media_type, digest_of(content), len(content), {TITLE: item.title}))
            blobs[digest_of(content)] = partial(BytesIO, content)
        config_type = choose_config_media_type([place.host])
        manifest = render_manifest([*layers, self.layer], choose_annotations(build), config_type)
        push_version(repository, manifest, blobs, build.release.version, mount_from=mount_from)
        repository.push_manifest(manifest, LATEST)
        return repository


def publish_without_building(stage: Stage, registry: RunningRegistry) -> None:
    """Publish every plugin of the stage's repository in an open registry, with a module that was built before."""
    module = next((stage.command_line.cache / "modules").glob("*.wasm"))
    archive = stage.folder / "seed.tar.gz"
    with module.open("rb") as content, archive.open("wb") as target:
        seed = Seed(stage.plugins.folder, pack_module(content, module.stat().st_size, target), archive)
    builds = [plugin.build for plugin in plan_whole(stage, registry).plugins if plugin.build]
    assert len(builds) == len(stage.plugins.names)
    first = seed.publish(builds[0])
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(partial(seed.publish, mount_from=first.name), builds[1:]))


def plan_whole(stage: Stage, registry: RunningRegistry) -> RepositoryPlan:
    """Return the plan that a run of the stage's user would make."""
    machine = find_machine(stage.command_line.environment)
    return plan_repository.fn(
        RepositoryRequest.model_validate(stage.request(registry, "")),
        machine.cache,
        site=machine.site,
        builders=machine.builders,
        choose_host=lambda builder: "",
    )
