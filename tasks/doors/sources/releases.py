"""From what is asked for to a plan, without Prefect: the tasks and `pluginyard plan` both call this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pluginyard.builds import Builder
from pluginyard.errors import SourceError
from pluginyard.forms import PublishRequest
from pluginyard.releases import ChooseHost, PluginBuild, Release, plan_build
from pluginyard.settings import Site
from pluginyard.sources import Source, SourceFile
from tasks.doors.sources.objects import CommitReader, open_source

LARGEST_FILE = 256 * 1024**2
LARGEST_CONTEXT = 16 * LARGEST_FILE


def open_release(request: PublishRequest, release: Release, *, cache: Path, site: Site) -> Source:
    """Pin the repository of `request` to the commit of its tag, branch or commit; raise as `open_source` does."""
    return open_source(request.repository, tag=release.tag, ref=request.ref, cache=cache, ca_bundle=site.ca_bundle)


def plan_release(
    request: PublishRequest,
    release: Release,
    source: Source,
    *,
    site: Site,
    builders: Mapping[str, Builder],
    choose_host: ChooseHost,
) -> PluginBuild:
    """Read the commit and plan the build of `release`; raise SourceError for what is not fit to build."""
    with CommitReader(source) as commit:
        return plan_build(request, release, commit, site=site, builders=builders, choose_host=choose_host)


def size_of_context(source: Source, files: Iterable[SourceFile]) -> int:
    """Return the bytes of all `files` together; raise SourceError for more than is copied, or one that is missing."""
    with CommitReader(source) as commit:
        size = commit.size_of(files)
    if size > LARGEST_CONTEXT:
        said = f"what the compiler reads has {size:,} bytes, and {LARGEST_CONTEXT:,} are copied at most"
        raise SourceError(said, subject=source.repository, remedy="move what is not compiled out of the plugin")
    return size


def read_context(source: Source, files: Iterable[SourceFile]) -> Iterator[tuple[SourceFile, bytes]]:
    """Yield each of `files` with its content; raise SourceError for one that is missing or too large."""
    with CommitReader(source) as commit:
        yield from ((file, commit.read(file, LARGEST_FILE)) for file in files)
