"""Plan a whole repository: the plugins that are asked for, each by itself, and what changed since another commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pluginyard.builds import Builder
from pluginyard.errors import ConfigurationError
from pluginyard.forms import RepositoryRequest
from pluginyard.releases.batch import RepositoryPlan, keep_changed, named_by_content, plan_plugins, refuse_twins
from pluginyard.releases.places import find_place
from pluginyard.releases.plan import ChooseHost, ask_once, load_settings, plan_build
from pluginyard.releases.plugin import PluginBuild
from pluginyard.releases.selection import explain_folders, find_twins, select_plugins
from pluginyard.releases.tag import Release
from pluginyard.settings import RepositorySettings, Site
from pluginyard.sources import Commit

_MOST_NAMES = 20


def plan_commit(
    request: RepositoryRequest,
    commit: Commit,
    before: Commit | None = None,
    *,
    site: Site,
    builders: Mapping[str, Builder],
    choose_host: ChooseHost,
    report: Callable[[str], None],
) -> RepositoryPlan:
    """Plan each plugin that is asked for; one that is not fit to build holds back no other.

    With `before`, those that this commit has otherwise are kept. `report` logs what the plan does not hold.
    """
    settings = load_settings(commit)
    releases = select_plugins(request, commit.tree, settings, builders)
    planner = _Planner(request, releases, site, builders, ask_once(choose_host))
    planned = planner.plan(commit, settings)
    if before:
        planned = planner.keep_changed(planned, commit, settings, before, report)
    if explained := explain_folders(commit.tree, settings, builders):
        names, first = ", ".join([*explained][:_MOST_NAMES]), next(iter(explained.values()))
        report(f"nothing to compile in {len(explained)} folders: {names}. {first.subject}: {first.message}")
    report(f"{commit.source.repository} at {commit.source.commit}: {len(planned.plugins)} of {len(releases)} plugins")
    return refuse_twins(planned, find_twins(releases, commit.tree, settings, builders))


@dataclass(frozen=True)
class _Planner:
    request: RepositoryRequest
    releases: tuple[Release, ...]
    site: Site
    builders: Mapping[str, Builder]
    choose_host: ChooseHost

    def plan(self, commit: Commit, settings: RepositorySettings) -> RepositoryPlan:
        """Plan every release at `commit`."""

        def plan_one(release: Release) -> PluginBuild:
            asked = self.request.for_plugin(release.language, release.name)
            build = plan_build(
                asked,
                release,
                commit,
                site=self.site,
                builders=self.builders,
                choose_host=self.choose_host,
                settings=settings,
            )
            return named_by_content(build)

        return plan_plugins(self.releases, plan_one)

    def keep_changed(
        self,
        planned: RepositoryPlan,
        commit: Commit,
        settings: RepositorySettings,
        before: Commit,
        report: Callable[[str], None],
    ) -> RepositoryPlan:
        """Plan the commit `before` too, by its own pluginyard.yaml, and keep what differs; registries do not count."""
        try:
            own = load_settings(before).model_copy(update={"registries": settings.registries})
        except ConfigurationError as error:
            report(f"every plugin counts as changed since {before.source.commit[:12]}: {error}")
            return planned

        def has_other_files(release: Release) -> bool:
            folder = find_place(commit.tree, release, settings, self.builders).folder_of(release.name)
            return before.tree.below(folder) != commit.tree.below(folder)

        return keep_changed(planned, self.plan(before, own), has_other_files)
