"""The settings of a site: what the machine that publishes decides, whatever the repository says.

Read from environment variables, and below them from one Prefect variable (`pluginyard.settings.site_variable`). The
names the Higress workflow used still work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from pluginyard.errors import ConfigurationError, RequestError
from pluginyard.parsing import FrozenModel, check_model
from pluginyard.settings.addresses import Address, RegistryAddress

# Handed to the step that fetches dependencies, as they are: what users behind mirrors set anyway.
FETCH_VARIABLES = (
    "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS",
    "RUSTUP_DIST_SERVER", "RUSTUP_UPDATE_ROOT",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
FETCH_PREFIXES = ("CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_", "CARGO_HTTP_", "CARGO_NET_")
_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n")  # what pydantic reads as one
_SECRET_SUFFIXES = ("_TOKEN", "_PASSWORD", "_SECRET", "_CREDENTIAL_PROVIDER")
HostName = Annotated[str, Field(pattern=r"^[0-9-]*[A-Za-z.:\[][A-Za-z0-9.:\[\]-]*$")]
LimitName = Annotated[str, Field(pattern=r"^(builder|registry)-[A-Za-z0-9.:-]+$")]


class Site(FrozenModel):
    """Hold a site's settings; each field is read from the variable its description names."""

    repository: Address = Field("", description="PLUGINYARD_REPOSITORY: what a run builds from if it names none")
    registries: tuple[RegistryAddress, ...] = Field(
        (), description="PLUGINYARD_REGISTRIES, by commas; or IMAGE_REGISTRY_SERVICE/IMAGE_REPOSITORY"
    )
    plain_http: bool | tuple[HostName, ...] = Field(
        False,
        description="PLUGINYARD_PLAIN_HTTP: registries, by commas, that speak HTTP; or true: all that do not speak TLS",
    )
    ca_bundle: str = Field(
        "", description="PLUGINYARD_CA_BUNDLE, else SSL_CERT_FILE: PEM file of authorities to trust beside the system's"
    )
    netrc: str = Field("", description="PLUGINYARD_NETRC: netrc file with the passwords of hosts to fetch from")
    cache: str = Field(
        "",
        description="PLUGINYARD_CACHE: folder for mirrors, and modules (unused ones go after 30 days); "
        "default ~/.cache/pluginyard",
    )
    engine: Literal["auto", "container", "host"] = Field("auto", description="PLUGINYARD_ENGINE")
    engine_address: str = Field("", description="DOCKER_HOST: address of the container engine")
    build_cache: Literal["private", "shared"] = Field(
        "private", description="PLUGINYARD_BUILD_CACHE: shared lets builds read what other builds wrote"
    )
    allow_prebuild: bool | Literal["network"] = Field(
        False,
        description="PLUGINYARD_ALLOW_PREBUILD: run a plugin's .prebuild or prepare.sh where it is compiled; "
        "or network: as root with network, in a layer of the builder's image, where it installs or downloads",
    )
    builders_folder: str = Field("", description="PLUGINYARD_BUILDERS: folder with more builders")
    images: Mapping[str, str] = Field({}, description="PLUGINYARD_IMAGE_<BUILDER>: a ready builder image")
    base_images: Mapping[str, str] = Field(
        {}, description="PLUGINYARD_BASE_IMAGE_<BUILDER>, PLUGINYARD_BASE_IMAGE for all"
    )
    versions: Mapping[str, str] = Field({}, description="PLUGINYARD_VERSION_<BUILDER>: the toolchain's version")
    memory: int = Field(2048, ge=64, description="PLUGINYARD_BUILD_MEMORY: MiB a build may use")
    processes: int = Field(256, ge=16, description="PLUGINYARD_BUILD_PROCESSES")
    cpus: float = Field(2, gt=0, description="PLUGINYARD_BUILD_CPUS")
    seconds: int = Field(1200, ge=1, description="PLUGINYARD_BUILD_SECONDS: time limit of each build step")
    fetch_environment: Mapping[str, str] = Field({}, description="GOPROXY, CARGO_REGISTRIES_*, HTTPS_PROXY …, as set")
    credentials_block: str = Field(
        "", description="PLUGINYARD_CREDENTIALS_BLOCK: Prefect blocks, by commas; the first that fits the registry"
    )
    envoy: str = Field("", description="PLUGINYARD_ENVOY: path of an Envoy binary")
    limits: Mapping[LimitName, Annotated[int, Field(ge=1)]] = Field(
        {}, description="PLUGINYARD_LIMITS, as builder-go=2,registry-HOST=4: how many at once, over all workers"
    )


_BY_BUILDER = {
    "images": "PLUGINYARD_IMAGE_",
    "base_images": "PLUGINYARD_BASE_IMAGE_",
    "versions": "PLUGINYARD_VERSION_",
}
_PLAIN = {
    "repository": "PLUGINYARD_REPOSITORY",
    "netrc": "PLUGINYARD_NETRC",
    "cache": "PLUGINYARD_CACHE",
    "engine": "PLUGINYARD_ENGINE",
    "engine_address": "DOCKER_HOST",
    "build_cache": "PLUGINYARD_BUILD_CACHE",
    "allow_prebuild": "PLUGINYARD_ALLOW_PREBUILD",
    "builders_folder": "PLUGINYARD_BUILDERS",
    "memory": "PLUGINYARD_BUILD_MEMORY",
    "processes": "PLUGINYARD_BUILD_PROCESSES",
    "cpus": "PLUGINYARD_BUILD_CPUS",
    "seconds": "PLUGINYARD_BUILD_SECONDS",
    "credentials_block": "PLUGINYARD_CREDENTIALS_BLOCK",
    "envoy": "PLUGINYARD_ENVOY",
}
_NAMED = {
    **_PLAIN,
    "plain_http": "PLUGINYARD_PLAIN_HTTP",
    "limits": "PLUGINYARD_LIMITS",
    "registries": "PLUGINYARD_REGISTRIES",
}


def load_site(environment: Mapping[str, str], below: Mapping[str, object] | None = None) -> Site:
    """Load the site's settings from `environment`, over those of `below` (checked by `check_site_variable`).

    Raises ConfigurationError that names the variable.
    """
    try:
        return check_model(Site, _overlay(below or {}, environment), subject="the environment")
    except ConfigurationError as error:
        field = error.message.partition(":")[0].partition(".")[0]
        raise ConfigurationError(
            error.message, subject=_NAMED.get(field, field), remedy="mend or unset the variable"
        ) from None


def choose_repository(asked: str, site: Site) -> str:
    """Return the repository to build from: the one asked for, else the site's; raise RequestError for none."""
    if not asked and not site.repository:
        raise RequestError(
            "no repository is named", subject="repository", remedy="give one, or set PLUGINYARD_REPOSITORY for the site"
        )
    return asked or site.repository


def is_for_fetching(name: str) -> bool:
    """Tell whether the variable `name` is for the step that fetches: mirrors and proxies, no token or password."""
    return name in FETCH_VARIABLES or (name.startswith(FETCH_PREFIXES) and not name.endswith(_SECRET_SUFFIXES))


def _overlay(below: Mapping[str, object], environment: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of `below` with what `environment` sets over them, mappings key by key."""
    set_ones: dict[str, object] = {field: environment.get(name) for field, name in _PLAIN.items()}
    set_ones["ca_bundle"] = environment.get("PLUGINYARD_CA_BUNDLE")
    set_ones["plain_http"] = _plain_http(environment.get("PLUGINYARD_PLAIN_HTTP", ""))
    set_ones["registries"] = _registries(environment)
    values = {**below, **{field: value for field, value in set_ones.items() if value}}
    for field, mapping in _mappings(environment).items():
        values[field] = {**dict(below.get(field, {})), **mapping}  # type: ignore[call-overload]
    if not values.get("ca_bundle"):
        values["ca_bundle"] = environment.get("SSL_CERT_FILE", "")
    return values


def _mappings(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found = {
        field: {
            name.removeprefix(prefix).lower().replace("_", "-"): value
            for name, value in environment.items()
            if name.startswith(prefix) and value
        }
        for field, prefix in _BY_BUILDER.items()
    }
    if every := environment.get("PLUGINYARD_BASE_IMAGE", ""):
        found["base_images"] = {"*": every, **found["base_images"]}
    found["fetch_environment"] = {name: value for name, value in environment.items() if is_for_fetching(name)}
    found["limits"] = _limits(environment.get("PLUGINYARD_LIMITS", ""))
    return found


def _limits(text: str) -> dict[str, str]:
    pairs = (item.strip().partition("=") for item in text.split(",") if item.strip())
    return {name.strip(): count.strip() for name, _, count in pairs}


def _plain_http(text: str) -> str | tuple[str, ...]:
    """Return yes or no for pydantic to read, or hosts."""
    if text.strip().lower() in _BOOLEANS:
        return text.strip()
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _registries(environment: Mapping[str, str]) -> tuple[str, ...]:
    if listed := environment.get("PLUGINYARD_REGISTRIES", ""):
        return tuple(item.strip() for item in listed.split(",") if item.strip())
    host = environment.get("IMAGE_REGISTRY_SERVICE") or environment.get("IMAGE_REGISTRY", "")
    namespace = environment.get("IMAGE_REPOSITORY") or environment.get("PLUGIN_IMAGE_REPOSITORY") or "plugins"
    return (f"{host}/{namespace}",) if host else ()
