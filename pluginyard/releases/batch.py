"""A whole repository at once: what is to be done with each plugin, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pluginyard.errors import BatchError, PluginyardError, describe_fault
from pluginyard.oci import hex_of
from pluginyard.releases.plugin import PackedArtifact, PluginBuild
from pluginyard.releases.tag import Release

PluginState = Literal["build", "published", "refused", "failed"]


@dataclass(frozen=True)
class PlannedPlugin:
    """Say what will be done with one plugin, and why."""

    release: Release
    state: PluginState
    reason: str
    build: PluginBuild | None = None
    error: PluginyardError | None = None
    digest: str = ""
    artifact: PackedArtifact | None = None
    """What a destination holds of it already, where another one lacks it."""

    def because(self, state: PluginState, reason: str, **more: Any) -> PlannedPlugin:
        """Return the same plugin in another state."""
        return replace(self, state=state, reason=reason, **more)

    def refused(self, error: PluginyardError) -> PlannedPlugin:
        """Return the same plugin as one that is not to be published as it is."""
        return self.because("refused", error.headline, error=error)

    def failed(self, error: Exception) -> PlannedPlugin:
        """Return the same plugin with what went wrong, a fault of ours marked as such."""
        fault = describe_fault(error)
        return self.because("failed", fault.headline, error=fault)


_COLUMNS: Mapping[str, Callable[[PlannedPlugin], str]] = {
    "plugin": lambda plugin: plugin.release.name,
    "language": lambda plugin: plugin.release.language,
    "version": lambda plugin: plugin.release.version,
    "state": lambda plugin: plugin.state,
    "why": lambda plugin: plugin.reason,
    "digest": lambda plugin: plugin.digest,
}
"""The table of a batch: in the report, in the JSON of the run."""
PUBLISHED_NOW = "published now"
_MOST_NAMES = 20
_MOST_QUOTED = 3


def _urgency(row: Mapping[str, str]) -> int:
    states = ("failed", "refused", "build", "published")
    return 2 * states.index(row["state"]) + (row["why"] != PUBLISHED_NOW)


@dataclass(frozen=True)
class RepositoryPlan:
    """Hold what will be done with every plugin that was asked for, in order."""

    plugins: tuple[PlannedPlugin, ...]

    def of(self, state: PluginState) -> tuple[PlannedPlugin, ...]:
        """Return the plugins in `state`."""
        return tuple(plugin for plugin in self.plugins if plugin.state == state)

    def raise_for_failures(self, subject: str) -> None:
        """Raise one BatchError that lists what failed and what was refused, with each remedy."""
        bad = [*self.of("failed"), *self.of("refused")]
        if not bad:
            return
        raise BatchError(
            f"{len(bad)} of {len(self.plugins)} plugins are not published:\n    " + "\n    ".join(_listed(bad)),
            subject=subject,
            remedy="fix them and run the same again: it does only what is missing",
        )

    @property
    def summary(self) -> str:
        """Return how many are in which state."""
        states: tuple[PluginState, ...] = ("build", "published", "refused", "failed")
        counts = ((len(self.of(state)), "to build" if state == "build" else state) for state in states)
        return ", ".join(f"{count} {name}" for count, name in counts if count) or "no plugins"

    def rows(self) -> list[dict[str, str]]:
        """Return a row for each plugin, as the table of the report shows it."""
        return [{name: value_of(plugin) for name, value_of in _COLUMNS.items()} for plugin in self.plugins]

    def report_rows(self) -> list[dict[str, str]]:
        """Return the rows with what needs attention first, then what is new, then what stayed."""
        return sorted(self.rows(), key=_urgency)

    def __str__(self) -> str:
        lines = [f"  {row['state']:<10}{row['plugin']} {row['version']}  {row['why']}" for row in self.rows()]
        return "\n".join([self.summary, *lines])


def plan_plugins(releases: Iterable[Release], plan: Callable[[Release], PluginBuild]) -> RepositoryPlan:
    """Plan each release by itself: one that is not fit to build, or that we fail at, holds back no other."""
    return RepositoryPlan(tuple(_plan_one(release, plan) for release in releases))


def _plan_one(release: Release, plan: Callable[[Release], PluginBuild]) -> PlannedPlugin:
    planned = PlannedPlugin(release, "build", "not published yet")
    try:
        build = plan(release)
    except PluginyardError as error:
        return planned.refused(error)
    except Exception as error:
        return planned.failed(error)
    return replace(planned, release=build.release, build=build)


def keep_changed(
    now: RepositoryPlan, before: RepositoryPlan, has_other_files: Callable[[Release], bool]
) -> RepositoryPlan:
    """Return the plugins of `now` that another commit's plan has otherwise: other inputs, builder or command.

    One that is not fit to build, and was not for the same reason, counts by its files (`has_other_files`).
    """

    def is_kept(plugin: PlannedPlugin, then: PlannedPlugin) -> bool:
        if plugin.build and then.build:
            return plugin.build.fingerprint != then.build.fingerprint
        return str(plugin.error) != str(then.error) or has_other_files(plugin.release)

    pairs = zip(now.plugins, before.plugins, strict=True)
    return RepositoryPlan(tuple(plugin for plugin, then in pairs if is_kept(plugin, then)))


def refuse_twins(plan: RepositoryPlan, twins: Mapping[tuple[str, str], PluginyardError]) -> RepositoryPlan:
    """Return the plan with every plugin refused that `twins` (by language and name) has an error for."""
    return RepositoryPlan(
        tuple(
            plugin.refused(error) if (error := twins.get((plugin.release.language, plugin.release.name))) else plugin
            for plugin in plan.plugins
        )
    )


def as_snapshot(build: PluginBuild) -> PluginBuild:
    """Return the build under the version `VERSION-snapshot.f{fingerprint}`: a pre-release, so `latest` stays.

    The same content has the same snapshot version, so a nightly run publishes it once.
    """
    short = hex_of(build.fingerprint)[:12]
    joint = "." if "-" in build.release.version else "-"
    return replace(build, release=build.release.with_version(f"{build.release.version}{joint}snapshot.f{short}"))


def named_by_content(build: PluginBuild) -> PluginBuild:
    """Return the build of a plugin that declares no version as `0.0.0-snapshot.f{fingerprint}`.

    Named after the commit, it would be built anew for every commit, whatever that changed.
    """
    if build.plugin.declared_version:
        return build
    return as_snapshot(replace(build, release=build.release.with_version("0.0.0")))


def _listed(plugins: Iterable[PlannedPlugin]) -> Iterator[str]:
    """Yield a few lines for each failure: what failed, the first lines quoted, the remedy; alike ones share them."""
    alike: dict[tuple[str, str], list[PlannedPlugin]] = defaultdict(list)
    for plugin in plugins:
        alike[plugin.reason, plugin.error.remedy if plugin.error else ""].append(plugin)
    for (reason, remedy), group in alike.items():
        names = [str(plugin.release) for plugin in group]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        subject = group[0].error.subject if group[0].error else ""
        yield ": ".join(filter(None, (f"{', '.join(names[:_MOST_NAMES])}{more}", subject, reason)))
        if len(group) == 1 and group[0].error:
            quoted = group[0].error.message.splitlines()[1:]
            yield from (f"  {line}" for line in quoted[:_MOST_QUOTED])
        if remedy:
            yield f"  remedy: {remedy}"
