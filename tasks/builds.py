"""From source to artifact: build-module, pack-artifact."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import docker  # noqa: F401  # the door imports it when it is asked, for `plan` may not need it; a run will
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.utilities.annotations import opaque

from pluginyard.builds import ARCHIVE_NAME, BuiltModule, no_toolchain, pack_module
from pluginyard.gateways.judge import judge_artifact
from pluginyard.oci import TITLE, Descriptor, digest_of
from pluginyard.releases import CONFIG_CONTENT, PackedArtifact, PluginBuild, choose_annotations, render_manifest
from pluginyard.settings import choose_config_media_type, choose_registry_annotations
from tasks.doors import containers, sources, toolchains
from tasks.doors.workspaces import ModuleStore, Workspace, is_alive
from tasks.steps import log, step

THREADS = 4
_T = TypeVar("_T")
_R = TypeVar("_R")


def _module_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Key a build by its fingerprint, in this machine's store: the same inputs are not compiled twice."""
    store = digest_of(str(parameters["workspace"].cache).encode())
    return f"module-{parameters['build'].fingerprint[7:]}-{store[7:19]}"


def build_once(build: PluginBuild, workspace: Workspace, engine_address: str) -> BuiltModule:
    """Run build-module, which is `Cached` where the store still holds the module; the record alone is not trusted."""
    known = ModuleStore(workspace.cache).holds(build.fingerprint)
    build_cached: Any = build_module.with_options(
        cache_policy=CachePolicy.from_cache_key_fn(_module_key),
        persist_result=True,
        refresh_cache=not known,
        timeout_seconds=build.recipe.whole_seconds,
    )
    module: BuiltModule = build_cached(opaque(build), opaque(workspace), engine_address)
    return module


@step("build-module", "{build.release.name} with {build.builder}", seconds=7200, retries=2)
def build_module(build: PluginBuild, workspace: Workspace, engine_address: str) -> BuiltModule:
    """Compile the module in a container, or by this machine's toolchain where no engine is."""
    target = ModuleStore(workspace.cache).path(build.fingerprint)
    if build.recipe.kind == "host":
        module = _build_on_host(build, target, workspace)
    else:
        module = _build_in_container(build, target, workspace, engine_address)
    ModuleStore(workspace.cache).keep(build.fingerprint, module.digest)
    log(f"built: {module.size:,} bytes by {module.toolchain}, {module.digest}")
    return module


def _build_in_container(build: PluginBuild, target: Path, workspace: Workspace, engine_address: str) -> BuiltModule:
    engine = containers.require_engine(engine_address)
    workspace.run_in_background(partial(containers.remove_leftovers, engine, partial(is_alive, workspace.cache)))
    image = containers.ensure_builder_image(
        engine,
        build.recipe.builder,
        build.recipe.site,
        log,
        fetches=build.recipe.fetch is not None,
        script=build.recipe.layer_script,
        run_id=workspace.run_id,
    )
    return containers.build_in_container(
        engine,
        image,
        build.recipe,
        sources.read_context(build.source, build.plugin.context),
        target,
        source_bytes=sources.size_of_context(build.source, build.plugin.context),
        run_id=workspace.run_id,
        log=log,
        run_in_background=workspace.run_in_background,
    )


@step("pack-artifact", "{build.release.name}", seconds=600)
def pack_artifact(build: PluginBuild, module: BuiltModule, workspace: Workspace) -> PackedArtifact:
    """Pack the layers reproducibly and judge the whole, so that nothing unloadable is ever pushed."""
    folder = workspace.folder / "layers"
    folder.mkdir(exist_ok=True)
    layers = [*_document_layers(build, folder), _archive_layer(module, folder)]
    (folder / "config.json").write_bytes(CONFIG_CONTENT)
    hosts = [place.host for place in build.destinations]
    config_type = choose_config_media_type(hosts, build.settings)
    own = choose_registry_annotations(hosts, build.settings)
    annotations = choose_annotations(build, build.settings.source_url) | own
    manifest = render_manifest([layer for layer, _ in layers], annotations, config_type)
    files = {layer.digest: str(path) for layer, path in layers} | {
        digest_of(CONFIG_CONTENT): str(folder / "config.json")
    }
    verdict = judge_artifact(
        manifest=manifest,
        open_blob=lambda blob: Path(files[blob.digest]).open("rb"),  # noqa: SIM115  # the judge closes it
        version=build.release.version,
        declared_version=build.plugin.declared_version,
    )
    verdict.require(build.settings.gateways, subject=str(build.release))
    log(f"packed: {manifest.digest}; {verdict.summary}")
    return PackedArtifact(manifest, tuple(layer for layer, _ in layers), files, verdict=verdict)


def _document_layers(build: PluginBuild, folder: Path) -> list[tuple[Descriptor, Path]]:
    layers = []
    with sources.CommitReader(build.source) as commit:
        for document in build.plugin.documents:
            content, path = commit.read(document.file), folder / document.title
            path.write_bytes(content)
            layer = Descriptor(document.media_type, digest_of(content), len(content), {TITLE: document.title})
            layers.append((layer, path))
    return layers


def _archive_layer(module: BuiltModule, folder: Path) -> tuple[Descriptor, Path]:
    path = folder / ARCHIVE_NAME
    with Path(module.path).open("rb") as content, path.open("wb") as target:
        return pack_module(content, module.size, target, compress=_map_in_threads), path


def _map_in_threads(function: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """Yield what `function` returns for each of `items`, in order; no more items are read ahead than threads work."""
    waiting: deque[Future[_R]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="pack") as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        yield from (future.result() for future in waiting)


def _build_on_host(build: PluginBuild, target: Path, workspace: Workspace) -> BuiltModule:
    toolchain = toolchains.find_toolchain(build.recipe.builder)
    if toolchain is None:
        raise no_toolchain(build.recipe.builder.name, ())
    log(f"no container engine: building with {build.recipe.toolchain} of this machine, without isolation")
    return toolchains.build_on_host(
        toolchain,
        build.recipe,
        sources.read_context(build.source, build.plugin.context),
        target,
        log=log,
        workdir=workspace.folder / "build",
        warm_folder=workspace.cache / "toolchains",
    )
