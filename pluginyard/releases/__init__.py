"""What is published: tag, plugin, selection, plan, batch."""

from pluginyard.releases.batch import (
    PUBLISHED_NOW,
    PlannedPlugin,
    RepositoryPlan,
    as_snapshot,
    keep_changed,
    named_by_content,
    plan_plugins,
    refuse_twins,
)
from pluginyard.releases.keys import release_key, stands_for
from pluginyard.releases.manifest import CONFIG_CONTENT, choose_annotations, render_manifest
from pluginyard.releases.plan import (
    ChooseHost,
    ask_once,
    choose_destinations,
    load_settings,
    plan_build,
    resolve_request,
)
from pluginyard.releases.plugin import PackedArtifact, PluginBuild, Publication, PublishedPlugin
from pluginyard.releases.selection import find_twins, list_plugins, select_plugins
from pluginyard.releases.tag import Release, choose_release, nearest_names, parse_release_tag, parse_version_file
