"""What is published: tag, plugin, selection, plan, batch."""

from pluginyard.releases.attempts import MOST_RUNS, refuse_after_crashes
from pluginyard.releases.batch import (
    PUBLISHED_NOW,
    PlannedPlugin,
    RepositoryPlan,
    as_snapshot,
)
from pluginyard.releases.interrupted import UNDER_WAY, judge_interrupted
from pluginyard.releases.keys import ASKED_BY_LABEL, COMMIT_LABEL, UNSUCCESSFUL, release_key, stands_for
from pluginyard.releases.manifest import CONFIG_CONTENT, choose_annotations, render_manifest
from pluginyard.releases.places import find_place, image_name
from pluginyard.releases.plan import (
    ChooseHost,
    ask_once,
    choose_destinations,
    load_settings,
    plan_build,
    resolve_request,
)
from pluginyard.releases.plugin import (
    PackedArtifact,
    PluginBuild,
    Publication,
    PublishedPlugin,
    describe_published,
)
from pluginyard.releases.repository import plan_commit
from pluginyard.releases.selection import find_twins, list_plugins, select_plugins
from pluginyard.releases.tag import Release, choose_release, nearest_names, parse_release_tag, parse_version_file
