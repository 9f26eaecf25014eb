"""The settings of a site: what the machine that publishes decides, whatever the repository says.

Read from environment variables, and below them from one Prefect variable (`pluginyard.settings.site_variable`). The
names the Higress workflow used still work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

from pluginyard.errors import ConfigurationError, RequestError
from pluginyard.oci import Scheme
from pluginyard.parsing import FrozenModel, check_model
from pluginyard.settings.addresses import Address, RegistryAddress

Environment = Mapping[str, str]
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
_SYSTEM_CA_BUNDLE = "SSL_CERT_FILE"


def is_for_fetching(name: str) -> bool:
    """Return whether the variable `name` is for the step that fetches: mirrors and proxies, no token or password."""
    return name in FETCH_VARIABLES or (name.startswith(FETCH_PREFIXES) and not name.endswith(_SECRET_SUFFIXES))


def _text(name: str, environment: Environment) -> str:
    return environment.get(name, "")


def _items(name: str, environment: Environment) -> tuple[str, ...]:
    return tuple(item.strip() for item in environment.get(name, "").split(",") if item.strip())


def _plain_http(name: str, environment: Environment) -> str | tuple[str, ...]:
    """Return yes or no for pydantic to read, or hosts."""
    text = environment.get(name, "").strip()
    return text if text.lower() in _BOOLEANS else _items(name, environment)


def _registries(name: str, environment: Environment) -> tuple[str, ...]:
    host = environment.get("IMAGE_REGISTRY_SERVICE") or environment.get("IMAGE_REGISTRY", "")
    namespace = environment.get("IMAGE_REPOSITORY") or environment.get("PLUGIN_IMAGE_REPOSITORY") or "plugins"
    return _items(name, environment) or ((f"{host}/{namespace}",) if host else ())


def _limits(name: str, environment: Environment) -> dict[str, str]:
    pairs = (item.partition("=") for item in _items(name, environment))
    return {limit.strip(): count.strip() for limit, _, count in pairs}


def _by_builder(name: str, environment: Environment) -> dict[str, str]:
    prefix = name.removesuffix("<BUILDER>")
    return {
        key.removeprefix(prefix).lower().replace("_", "-"): value
        for key, value in environment.items()
        if key.startswith(prefix) and value
    }


def _base_images(name: str, environment: Environment) -> dict[str, str]:
    every = environment.get("PLUGINYARD_BASE_IMAGE", "")
    return ({"*": every} if every else {}) | _by_builder(name, environment)


def _for_fetching(_: str, environment: Environment) -> dict[str, str]:
    return {name: value for name, value in environment.items() if is_for_fetching(name)}


@dataclass(frozen=True)
class Variable:
    """Say from which variable a setting is read, what it means, and how it is read."""

    name: str
    meaning: str = ""
    note: str = ""
    read: Callable[[str, Environment], Any] = _text


class Site(FrozenModel):
    """Hold a site's settings, each read from the variable that stands in its row."""

    repository: Annotated[Address, Variable("PLUGINYARD_REPOSITORY", "what a run builds from if it names none")] = ""
    registries: Annotated[
        tuple[RegistryAddress, ...],
        Variable("PLUGINYARD_REGISTRIES", "", "by commas; or IMAGE_REGISTRY_SERVICE/IMAGE_REPOSITORY", _registries),
    ] = ()
    plain_http: Annotated[
        bool | tuple[HostName, ...],
        Variable(
            "PLUGINYARD_PLAIN_HTTP",
            "registries, by commas, that speak HTTP; or true: all that do not speak TLS",
            read=_plain_http,
        ),
    ] = False
    ca_bundle: Annotated[
        str,
        Variable(
            "PLUGINYARD_CA_BUNDLE", "PEM file of authorities to trust beside the system's", f"else {_SYSTEM_CA_BUNDLE}"
        ),
    ] = ""
    netrc: Annotated[str, Variable("PLUGINYARD_NETRC", "netrc file with the passwords of hosts to fetch from")] = ""
    cache: Annotated[
        str,
        Variable(
            "PLUGINYARD_CACHE",
            "folder for mirrors, and modules (unused ones go after 30 days); default ~/.cache/pluginyard",
        ),
    ] = ""
    engine: Annotated[Literal["auto", "container", "host"], Variable("PLUGINYARD_ENGINE")] = "auto"
    engine_address: Annotated[str, Variable("DOCKER_HOST", "address of the container engine")] = ""
    build_cache: Annotated[
        Literal["private", "shared"],
        Variable("PLUGINYARD_BUILD_CACHE", "shared lets builds read what other builds wrote"),
    ] = "private"
    allow_prebuild: Annotated[
        bool | Literal["network"],
        Variable(
            "PLUGINYARD_ALLOW_PREBUILD",
            "run a plugin's .prebuild or prepare.sh where it is compiled; "
            "or network: as root with network, in a layer of the builder's image, where it installs or downloads",
        ),
    ] = False
    builders_folder: Annotated[str, Variable("PLUGINYARD_BUILDERS", "folder with more builders")] = ""
    images: Annotated[
        Mapping[str, str], Variable("PLUGINYARD_IMAGE_<BUILDER>", "a ready builder image", read=_by_builder)
    ] = {}
    base_images: Annotated[
        Mapping[str, str],
        Variable("PLUGINYARD_BASE_IMAGE_<BUILDER>", "", "PLUGINYARD_BASE_IMAGE for all", _base_images),
    ] = {}
    versions: Annotated[
        Mapping[str, str], Variable("PLUGINYARD_VERSION_<BUILDER>", "the toolchain's version", read=_by_builder)
    ] = {}
    memory: Annotated[int, Field(ge=64), Variable("PLUGINYARD_BUILD_MEMORY", "MiB a build may use")] = 2048
    processes: Annotated[int, Field(ge=16), Variable("PLUGINYARD_BUILD_PROCESSES")] = 256
    cpus: Annotated[float, Field(gt=0), Variable("PLUGINYARD_BUILD_CPUS")] = 2
    seconds: Annotated[int, Field(ge=1), Variable("PLUGINYARD_BUILD_SECONDS", "time limit of each build step")] = 1200
    fetch_environment: Annotated[
        Mapping[str, str], Variable("GOPROXY", "", "CARGO_REGISTRIES_*, HTTPS_PROXY …, as set", _for_fetching)
    ] = {}
    credentials_block: Annotated[
        str, Variable("PLUGINYARD_CREDENTIALS_BLOCK", "Prefect blocks, by commas; the first that fits the registry")
    ] = ""
    envoy: Annotated[str, Variable("PLUGINYARD_ENVOY", "path of an Envoy binary")] = ""
    limits: Annotated[
        Mapping[LimitName, Annotated[int, Field(ge=1)]],
        Variable("PLUGINYARD_LIMITS", "how many at once, over all workers", "as builder-go=2,registry-HOST=4", _limits),
    ] = {}

    def plain_http_for(
        self, host: str, scheme: Scheme = "", *, allowed: bool
    ) -> Literal["always", "without TLS", "never"]:
        """Return whether the registry `host` is spoken to in plain HTTP.

        `scheme` is that of its address, which wins; `allowed` is what the run itself allows.
        """
        if scheme == "https":
            return "never"
        if scheme == "http" or (isinstance(self.plain_http, tuple) and host in self.plain_http):
            return "always"
        return "without TLS" if allowed or self.plain_http is True else "never"


def load_site(environment: Environment, below: Mapping[str, Any] | None = None) -> Site:
    """Load the site's settings from `environment`, over those of `below` (checked by `check_site_variable`).

    Mappings are laid over each other key by key. Raises ConfigurationError that names the variable.
    """
    values = dict(below or {})
    variables = {field: known for field, info in Site.model_fields.items() if (known := _variable_of(info))}
    for field, variable in variables.items():
        found = variable.read(variable.name, environment)
        if found:
            values[field] = {**values.get(field, {}), **found} if isinstance(found, dict) else found
    if not values.get("ca_bundle"):
        values["ca_bundle"] = environment.get(_SYSTEM_CA_BUNDLE, "")
    try:
        return check_model(Site, values, subject="the environment")
    except ConfigurationError as error:
        field = error.message.partition(":")[0].partition(".")[0]
        subject = variables[field].name if field in variables else field
        raise ConfigurationError(error.message, subject=subject, remedy="fix or unset the variable") from None


def describe_setting(field: FieldInfo) -> str:
    """Return what the reference says of a setting: its variable, if it has one, and what it means."""
    if (variable := _variable_of(field)) is None:
        return field.description or ""
    return ": ".join(filter(None, (", ".join(filter(None, (variable.name, variable.note))), variable.meaning)))


def _variable_of(field: FieldInfo) -> Variable | None:
    return next((item for item in field.metadata if isinstance(item, Variable)), None)


def choose_repository(asked: str, site: Site) -> str:
    """Return the repository to build from: the one asked for, else the site's; raise RequestError for none."""
    if not asked and not site.repository:
        raise RequestError(
            "no repository is named", subject="repository", remedy="give one, or set PLUGINYARD_REPOSITORY for the site"
        )
    return asked or site.repository
