"""What this machine offers a run: its site settings, builders, and a container engine or a host toolchain.

Imports no Prefect, so that `pluginyard plan` starts quickly.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pluginyard.builds import Builder, site_file_error
from pluginyard.errors import BuildError
from pluginyard.settings import Site, load_site
from tasks.doors import containers, toolchains
from tasks.doors.builders import find_builders
from tasks.doors.workspaces import cache_folder


@dataclass(frozen=True)
class Machine:
    """Hold what runs on this machine share."""

    site: Site
    cache: Path
    builders: Mapping[str, Builder]


def find_machine(environment: Mapping[str, str] = os.environ, variable: Mapping[str, object] | None = None) -> Machine:
    """Read the site's settings and the builders' folders; raise ConfigurationError for a bad one.

    `variable` holds the settings of the server's variable, which those of the environment go over.
    """
    site = load_site(environment, variable)
    _refuse_unreadable("CA bundle", site.ca_bundle, "PLUGINYARD_CA_BUNDLE")
    _refuse_unreadable("netrc file", site.netrc, "PLUGINYARD_NETRC")
    return Machine(site, cache_folder(site.cache, environment), find_builders(site.builders_folder))


def _refuse_unreadable(what: str, path: str, variable: str) -> None:
    if not path:
        return
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise site_file_error(what, path, error, variable) from error


def host_version(site: Site) -> Callable[[Builder], str]:
    """Return the function that tells which toolchain of this machine would build, empty for a container.

    `auto` takes a container engine where one answers; a named one that is dead is an error, not a fallback.
    """

    def version(builder: Builder) -> str:
        if site.engine == "container" or (site.engine == "auto" and containers.engine_answers(site.engine_address)):
            return ""
        found = toolchains.find_toolchain(builder)
        if found is None:
            raise BuildError(
                f"no container engine answers, and there is no {builder.name} toolchain on this machine",
                subject=builder.name,
                remedy="start Docker, or name its address in DOCKER_HOST",
            )
        return found.version

    return version
