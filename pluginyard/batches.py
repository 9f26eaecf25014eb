"""A whole repository at once: which plugins there are, which are asked for, and what is to be done with each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import Field

from pluginyard.builders import Builder, choose_builder
from pluginyard.configuration import RepositorySettings
from pluginyard.contexts import Read
from pluginyard.destination_requests import PlainHttp, Registries, SourceRequest
from pluginyard.errors import BatchError, PluginyardError, RequestError
from pluginyard.fingerprints import content_of
from pluginyard.planning import find_plugin
from pluginyard.plugins import PackedArtifact, PluginBuild, SourceTree
from pluginyard.publish_requests import PublishRequest
from pluginyard.releases import Release, nearest_names

State = Literal["build", "published", "refused", "failed"]


class RepositoryRequest(SourceRequest):
    """Name the plugins of one repository that are to be published: by default all that are not yet."""

    ref: str = Field("", title="Branch or commit", description="What to build; empty: the default branch")
    plugins: list[str] = Field(
        default_factory=lambda: ["*"], title="Plugins", description="Names, with * and ? as wildcards; default: all"
    )
    languages: list[str] = Field(default_factory=list, title="Languages", description="Only these; empty: all")
    changed_since: str = Field(
        "", title="Changed since", description="Only plugins whose compiler reads something else than at this ref"
    )
    when_taken: Literal["refuse", "snapshot"] = Field(
        "refuse",
        title="When the version is taken",
        description="A plugin that changed under a published VERSION: refuse it, or publish VERSION-snapshot.f…",
    )
    registries: Registries = Field(default_factory=list)
    plain_http: PlainHttp = False
    at_once: int = Field(2, ge=1, le=64, title="At once", description="Plugins that are built at the same time")
    run_in_envoy: bool = Field(False, title="Run in Envoy", description="Load each in a real Envoy and send its probe")

    @property
    def title(self) -> str:
        """Return what the run is called."""
        return f"all of {self.repository or 'the repository of the site'}"

    def for_plugin(self, release: Release) -> PublishRequest:
        """Return the request that publishes one of the plugins alone."""
        return PublishRequest(
            repository=self.repository,
            plugin=release.name,
            language=release.language,
            ref=self.ref,
            registries=self.registries,
            plain_http=self.plain_http,
            run_in_envoy=self.run_in_envoy,
        )


@dataclass(frozen=True)
class PlannedPlugin:
    """Say what will be done with one plugin, and why."""

    release: Release
    state: State
    reason: str
    build: PluginBuild | None = None
    error: PluginyardError | None = None
    digest: str = ""
    artifact: PackedArtifact | None = None
    """What a destination holds of it already, where another one lacks it."""

    def because(self, state: State, reason: str, **more: Any) -> PlannedPlugin:
        """Return the same plugin in another state."""
        return replace(self, state=state, reason=reason, **more)


PUBLISHED_NOW = "published now"


def _urgency(row: Mapping[str, str]) -> int:
    states = ("failed", "refused", "build", "published")
    return 2 * states.index(row["state"]) + (row["why"] != PUBLISHED_NOW)


@dataclass(frozen=True)
class RepositoryPlan:
    """Hold what will be done with every plugin that was asked for, in order."""

    plugins: tuple[PlannedPlugin, ...]

    def of(self, state: State) -> tuple[PlannedPlugin, ...]:
        """Return the plugins in `state`."""
        return tuple(plugin for plugin in self.plugins if plugin.state == state)

    def raise_for_failures(self, subject: str) -> None:
        """Raise one BatchError that lists what failed and what was refused, with each remedy."""
        bad = [*self.of("failed"), *self.of("refused")]
        if not bad:
            return
        lines = [f"{plugin.release}: {plugin.error or plugin.reason}".replace("\n", " ") for plugin in bad]
        raise BatchError(
            f"{len(bad)} of {len(self.plugins)} plugins are not published:\n    " + "\n    ".join(lines),
            subject=subject,
            remedy="mend them and run the same again: it does only what is missing",
        )

    @property
    def summary(self) -> str:
        """Return how many are in which state."""
        states: tuple[State, ...] = ("build", "published", "refused", "failed")
        counts = ((len(self.of(state)), "to build" if state == "build" else state) for state in states)
        return ", ".join(f"{count} {name}" for count, name in counts if count) or "no plugins"

    def rows(self) -> list[dict[str, str]]:
        """Return a row for each plugin, as the table of the report shows it."""
        return [
            {
                "plugin": plugin.release.name,
                "language": plugin.release.language,
                "version": plugin.release.version,
                "state": plugin.state,
                "why": plugin.reason,
                "digest": plugin.digest,
            }
            for plugin in self.plugins
        ]

    def report_rows(self) -> list[dict[str, str]]:
        """Return the rows with what somebody has to look at first, then what is new, then what stayed."""
        return sorted(self.rows(), key=_urgency)

    def __str__(self) -> str:
        lines = [f"  {row['state']:<10}{row['plugin']} {row['version']}  {row['why']}" for row in self.rows()]
        return "\n".join([self.summary, *lines])


def list_plugins(tree: SourceTree, settings: RepositorySettings, builders: Mapping[str, Builder]) -> Iterator[Release]:
    """Yield every plugin of the repository: each folder that has its toolchain's manifest.

    Of languages that share a folder (go and tinygo in Higress's layout) the first one counts.
    """
    seen: set[str] = set()
    for language, layout in settings.languages.items():
        if layout.folder in seen:
            continue
        seen.add(layout.folder)
        manifest = choose_builder(builders, layout.builder).definition.manifest
        for name in tree.folders_in(layout.folder):
            if tree.file(f"{layout.folder_of(name)}/{manifest}"):
                yield Release(language, name)


def select_plugins(request: RepositoryRequest, found: tuple[Release, ...]) -> tuple[Release, ...]:
    """Return those of `found` that are asked for; raise RequestError for a pattern that matches none."""
    for pattern in request.plugins:
        if not any(fnmatchcase(release.name, pattern) for release in found):
            names = (release.name for release in found)
            raise RequestError("matches no plugin", subject=pattern, remedy=nearest_names(pattern, names))
    return tuple(
        release
        for release in found
        if any(fnmatchcase(release.name, pattern) for pattern in request.plugins)
        and (not request.languages or release.language in request.languages)
    )


def has_changed(build: PluginBuild, before: SourceTree, read: Read, builders: Mapping[str, Builder]) -> bool:
    """Tell whether the compiler reads, or a layer holds, something else than in the tree `before`."""
    try:
        old = find_plugin(before, build.release, build.settings, builders, read)
    except PluginyardError:
        return True  # it was not there, or was not fit to build
    return content_of(old) != content_of(build.plugin)


def plan_plugins(releases: tuple[Release, ...], plan: Callable[[Release], PluginBuild]) -> RepositoryPlan:
    """Plan each release by itself: one that is not fit to build is refused, and holds back no other."""
    planned = []
    for release in releases:
        try:
            build = plan(release)
        except PluginyardError as error:
            planned.append(PlannedPlugin(release, "refused", error.message, error=error))
        else:
            planned.append(PlannedPlugin(build.release, "build", "not published yet", build))
    return RepositoryPlan(tuple(planned))


def as_snapshot(build: PluginBuild) -> PluginBuild:
    """Return the build under the version `VERSION-snapshot.f{fingerprint}`: a pre-release, so `latest` stays.

    The same content has the same snapshot version, so a nightly run publishes it once.
    """
    short = build.fingerprint.removeprefix("sha256:")[:12]
    joint = "." if "-" in build.release.version else "-"
    return replace(build, release=build.release.with_version(f"{build.release.version}{joint}snapshot.f{short}"))
