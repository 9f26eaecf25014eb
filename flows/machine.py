"""What this machine offers a run: its site settings, builders, and a container engine or a host toolchain.

Imports no Prefect, so that `pluginyard plan` starts quickly.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pluginyard.builds import Builder, HostChoice, host_note, no_toolchain, site_file_error
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


def choose_host(site: Site) -> Callable[[Builder], HostChoice | None]:
    """Return the function that chooses a toolchain of this machine, None for a container.

    `auto` takes a container engine where one answers; a named one that is dead is an error, not a fallback, and one
    that is there and silent is noted in the report.
    """

    def choose(builder: Builder) -> HostChoice | None:
        if site.engine == "container":
            return None
        search = containers.search_engine(site.engine_address) if site.engine == "auto" else None
        if search and search.found:
            return None
        found = toolchains.find_toolchain(builder)
        if found is None:
            raise no_toolchain(builder.name, search.silent if search else ())
        return HostChoice(found.version, host_note(found.name, found.version, search.silent if search else ()))

    return choose
