"""What is published already: asked for one plugin before it is built, and for a whole repository (look-up)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

from pluginyard.errors import RegistryUnavailableError, VersionTakenError
from pluginyard.oci import Destination, StoredManifest, layers_of
from pluginyard.releases import PackedArtifact, PlannedPlugin, PluginBuild, RepositoryPlan, as_snapshot
from tasks.doors.registries import find_ours
from tasks.registries.session import Registries
from tasks.steps import log, step

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
    for place in build.destinations:
        repository, version = registries.open(place, build.release.name), build.release.version
        if stored := find_ours(repository, version, fingerprint=build.fingerprint, overwrite=overwrite):
            found[place] = stored
    if not found:
        return None
    first, manifest = next(iter(found.items()))
    holders = tuple(place for place, stored in found.items() if stored.digest == manifest.digest)
    return PackedArtifact(manifest, layers_of(manifest, str(first)), {}, holders)


def _without_damaged(known: PackedArtifact | None, build: PluginBuild, registries: Registries) -> PackedArtifact | None:
    """Take a folder whose blobs are damaged for one that lacks the artifact: publishing again restores it."""
    if known is None:
        return None
    opened = {place: registries.open(place, build.release.name) for place in known.holders}
    intact = tuple(place for place, repository in opened.items() if repository.is_intact(known.manifest))
    return replace(known, holders=intact) if intact else None


@step("look-up", "{plan.summary}", seconds=3600)
def look_up(
    plan: RepositoryPlan, registries: Registries, *, when_taken: Literal["refuse", "snapshot"]
) -> RepositoryPlan:
    """Ask the registries which of the planned plugins are published already, several at once.

    One that they refuse to answer for holds back no other. Raises RegistryUnavailableError, after a few questions,
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
