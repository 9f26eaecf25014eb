"""The settings of a site: what the machine that publishes decides, whatever the repository says.

Read from environment variables only. The names the Higress workflow used still work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pluginyard.configuration import check_model
from pluginyard.errors import ConfigurationError

# Handed to the step that fetches dependencies, as they are: what users behind mirrors set anyway.
FETCH_VARIABLES = (
    "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
FETCH_PREFIXES = ("CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_", "CARGO_HTTP_", "CARGO_NET_")
_SECRET_SUFFIXES = ("_TOKEN", "_PASSWORD", "_SECRET", "_CREDENTIAL_PROVIDER")


class Site(BaseModel):
    """Hold a site's settings; each field is read from the variable its description names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    registries: tuple[str, ...] = Field(
        (), description="PLUGINYARD_REGISTRIES, by commas; or IMAGE_REGISTRY_SERVICE/IMAGE_REPOSITORY"
    )
    plain_http: bool = Field(False, description="PLUGINYARD_PLAIN_HTTP: speak HTTP to the registries")
    ca_bundle: str = Field("", description="PLUGINYARD_CA_BUNDLE, else SSL_CERT_FILE: PEM file of trusted authorities")
    cache: str = Field("", description="PLUGINYARD_CACHE: folder for mirrors and modules; default ~/.cache/pluginyard")
    engine: Literal["auto", "container", "host"] = Field("auto", description="PLUGINYARD_ENGINE")
    engine_address: str = Field("", description="DOCKER_HOST: address of the container engine")
    build_cache: Literal["private", "shared"] = Field(
        "private", description="PLUGINYARD_BUILD_CACHE: shared lets builds read what other builds wrote"
    )
    allow_prebuild: bool = Field(False, description="PLUGINYARD_ALLOW_PREBUILD: run .prebuild inside the container")
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
    credentials_block: str = Field("", description="PLUGINYARD_CREDENTIALS_BLOCK: name of a Prefect block")
    envoy: str = Field("", description="PLUGINYARD_ENVOY: path of an Envoy binary")


_BY_BUILDER = {
    "images": "PLUGINYARD_IMAGE_",
    "base_images": "PLUGINYARD_BASE_IMAGE_",
    "versions": "PLUGINYARD_VERSION_",
}
_PLAIN = {
    "plain_http": "PLUGINYARD_PLAIN_HTTP",
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


def load_site(environment: Mapping[str, str]) -> Site:
    """Load the site's settings from `environment`; raise ConfigurationError that names the variable."""
    values: dict[str, object] = {
        field: environment[name] for field, name in _PLAIN.items() if environment.get(name, "")
    }
    for field, prefix in _BY_BUILDER.items():
        values[field] = {
            name.removeprefix(prefix).lower().replace("_", "-"): value
            for name, value in environment.items()
            if name.startswith(prefix) and value
        }
    if every := environment.get("PLUGINYARD_BASE_IMAGE", ""):
        values["base_images"] = {"*": every, **dict(values["base_images"])}  # type: ignore[call-overload]
    values["ca_bundle"] = environment.get("PLUGINYARD_CA_BUNDLE") or environment.get("SSL_CERT_FILE", "")
    values["registries"] = _registries(environment)
    values["fetch_environment"] = _fetch_environment(environment)
    try:
        return check_model(Site, values, subject="the environment")
    except ConfigurationError as error:
        field = error.message.partition(":")[0].partition(".")[0]
        raise ConfigurationError(
            error.message, subject=_PLAIN.get(field, field), remedy="mend or unset the variable"
        ) from None


def _registries(environment: Mapping[str, str]) -> tuple[str, ...]:
    if listed := environment.get("PLUGINYARD_REGISTRIES", ""):
        return tuple(item.strip() for item in listed.split(",") if item.strip())
    host = environment.get("IMAGE_REGISTRY_SERVICE") or environment.get("IMAGE_REGISTRY", "")
    namespace = environment.get("IMAGE_REPOSITORY") or environment.get("PLUGIN_IMAGE_REPOSITORY") or "plugins"
    return (f"{host}/{namespace}",) if host else ()


def _fetch_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the fetch step is given: mirrors and proxies, no token or password."""
    return {
        name: value
        for name, value in environment.items()
        if name in FETCH_VARIABLES or (name.startswith(FETCH_PREFIXES) and not name.endswith(_SECRET_SUFFIXES))
    }
