"""What is published: tag, plugin, selection, plan, batch."""

from pluginyard.releases.batch import (
    PUBLISHED_NOW,
    PlannedPlugin,
    RepositoryPlan,
    as_snapshot,
)
from pluginyard.releases.keys import release_key, stands_for
from pluginyard.releases.manifest import CONFIG_CONTENT, choose_annotations, render_manifest
from pluginyard.releases.places import find_place, image_name
from pluginyard.releases.plan import (
    HostVersion,
    ask_once,
    build_settings,
    choose_destinations,
    load_settings,
    plan_build,
    resolve_request,
)
from pluginyard.releases.plugin import PackedArtifact, PluginBuild, Publication, PublishedPlugin
from pluginyard.releases.repository import plan_commit
from pluginyard.releases.selection import find_twins, list_plugins, select_plugins
from pluginyard.releases.tag import Release, choose_release, nearest_names, parse_release_tag, parse_version_file
