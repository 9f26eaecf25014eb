"""In which registries, and below which path, the plugin of a watched tag is published."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pluginyard.builds import Builder
from pluginyard.errors import PluginyardError
from pluginyard.forms import WatchRequest
from pluginyard.oci import Destination
from pluginyard.releases import Release, choose_destinations, image_name, load_settings
from pluginyard.settings import Site
from pluginyard.sources import Commit
from pluginyard.webhooks.watch.tags import WatchedTag, for_tag


def locate_tags(
    request: WatchRequest, tags: Iterable[WatchedTag], commit: Commit, *, site: Site, builders: Mapping[str, Builder]
) -> Iterator[WatchedTag]:
    """Yield release tags with where each is published, by the layout and the pluginyard.yaml at `commit`."""
    known = tuple(tags)
    try:
        settings = load_settings(commit)
        places = choose_destinations(for_tag(request, known[0]), site, settings)
    except PluginyardError as error:
        yield from (tag.not_located(error) for tag in known)
        return

    def destinations(release: Release) -> tuple[Destination, ...]:
        below = posixpath.dirname(image_name(commit.tree, release, settings, builders))
        return tuple(place.below(below) for place in places)

    yield from (replace(tag, destinations=destinations(tag.release)) for tag in known if tag.release)
