"""`pluginyard.yaml` at the top of the plugin repository: every key optional, unknown keys refused.

What loosens the isolation of a build (engine, shared caches, `.prebuild`) is not read from the repository
that is being built: it belongs to the site (`pluginyard/settings/site.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pluginyard.errors import ConfigurationError
from pluginyard.oci.descriptors import CREATED, REVISION, VERSION
from pluginyard.settings.addresses import Address, RegistryAddress
from pluginyard.settings.layouts import HIGRESS_LAYOUT, LanguageLayout

FILE_NAME = "pluginyard.yaml"
Gateway = Literal["higress", "istio", "envoy-gateway", "envoy"]
MediaType = Annotated[str, Field(pattern=r"^([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)?$")]  # RFC 6838, 4.2
Model = TypeVar("Model", bound=BaseModel)


class PluginSettings(BaseModel):
    """Settings of one plugin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    builder: str = Field("", description="Builder that compiles it; empty: the one of its language")
    inputs: tuple[str, ...] = Field((), description="Further files or folders that the compiler reads")
    probe: Mapping[str, Any] | None = Field(None, description="What a real Envoy is asked, and must answer")


class RegistrySettings(BaseModel):
    """What one registry insists on; the registries of a release share one digest, so they may not contradict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config_media_type: MediaType = Field("", description="Media type of the manifest's config")
    annotations: Mapping[str, str] = Field(default_factory=dict, description="Further annotations of the manifest")

    @field_validator("annotations")
    @classmethod
    def _leave_ours(cls, annotations: Mapping[str, str]) -> Mapping[str, str]:
        """Refuse what look-ups and watches read: by it they know what is published."""
        for key in annotations:
            if key in (CREATED, REVISION, VERSION) or key.startswith("io.pluginyard."):
                raise ValueError(f"{key} is set by pluginyard")
        return annotations


class RepositorySettings(BaseModel):
    """The whole of pluginyard.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    registries: tuple[RegistryAddress, ...] = Field((), description="Destinations: HOST/NAMESPACE or oci:PATH")
    gateways: tuple[Gateway, ...] = Field(("higress",), description="Gateways that must load what is published")
    layout: Mapping[str, LanguageLayout] = Field(
        default_factory=dict, description="Folder and builder of a language, over Higress's layout"
    )
    source_url: Address = Field("", description="Address of the repository for the artifact's annotations")
    latest: Literal["forward", "never"] = Field("forward", description="Whether the tag latest follows stable versions")
    tidy: bool = Field(False, description="Run go mod tidy before building, as the old workflow did")
    config_media_type: MediaType = Field("", description="Media type of the manifest's config, for every registry")
    registry_settings: Mapping[str, RegistrySettings] = Field(
        default_factory=dict,
        description="What a registry insists on, by host, with * and ? allowed; the first that fits",
    )
    plugins: Mapping[str, PluginSettings] = Field(default_factory=dict, description="Settings by plugin name")

    @property
    def languages(self) -> Mapping[str, LanguageLayout]:
        """Return the layout of every language, Higress's overlaid with the file's."""
        return {**HIGRESS_LAYOUT, **self.layout}

    def plugin(self, name: str) -> PluginSettings:
        """Return the settings of the plugin `name`."""
        return self.plugins.get(name, PluginSettings())


def load_configuration(text: str, *, subject: str = FILE_NAME) -> RepositorySettings:
    """Load the text of a pluginyard.yaml; raise ConfigurationError that names the key and the nearest known one."""
    return load_model(RepositorySettings, text, subject=subject)


def load_model(model: type[Model], text: str, *, subject: str, loader: Any = yaml.SafeLoader) -> Model:
    """Load YAML `text` as `model`; raise ConfigurationError that names the key and the nearest known one.

    `loader` is a safe one of PyYAML; that of libyaml is ten times faster, and deep nesting ends the process.
    """
    try:
        document = yaml.load(text, loader) or {}  # noqa: S506 - a safe loader, says the contract
    except RecursionError:
        raise ConfigurationError("it is nested too deeply", subject=subject, remedy="mend the file") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what looks like a date and is none
        raise ConfigurationError(f"not valid YAML: {error}", subject=subject, remedy="mend the file") from error
    if not isinstance(document, dict):
        raise ConfigurationError("not a mapping of keys", subject=subject, remedy="write `key: value` lines")
    return check_model(model, document, subject=subject)


def check_model(model: type[Model], document: Mapping[str, Any], *, subject: str) -> Model:
    """Validate `document` as `model`; raise ConfigurationError for its first fault."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A misspelt key explains the missing one, so it is told first.
        fault = next((item for item in faults if item["type"] == "extra_forbidden"), faults[0])
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = _known_keys(model, fault["loc"][:-1])
            near = get_close_matches(str(fault["loc"][-1]), known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
            raise ConfigurationError(f"unknown key {key}", subject=subject, remedy=remedy) from None
        said = fault["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{key}: {said}", subject=subject, remedy=f"mend {key}") from None


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys known at `location`; nested models are reached through their fields or mappings."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[str(part)].annotation
        arguments = getattr(current, "__args__", ())
        nested = [item for item in arguments if isinstance(item, type) and issubclass(item, BaseModel)]
        current = nested[0] if nested and not isinstance(part, int) and part not in _fields(current) else current
    return list(_fields(current))


def _fields(model: Any) -> tuple[str, ...]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return tuple(model.model_fields)
    nested = [item for item in getattr(model, "__args__", ()) if isinstance(item, type) and issubclass(item, BaseModel)]
    return tuple(nested[0].model_fields) if nested else ()
