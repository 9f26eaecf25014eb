"""`pluginyard.yaml` at the top of the plugin repository: every key optional, unknown keys refused.

What loosens the isolation of a build (engine, shared caches, `.prebuild`) is not read from the repository
that is being built: it belongs to the site (`pluginyard/settings/site.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from pluginyard.errors import RequestError
from pluginyard.gateways import HOSTS, Probe
from pluginyard.oci import CREATED, REVISION, VERSION, check_repository
from pluginyard.parsing import FrozenModel, load_model
from pluginyard.settings.addresses import Address, RegistryAddress

FILE_NAME = "pluginyard.yaml"
if TYPE_CHECKING:
    Gateway: TypeAlias = str
else:
    Gateway = Literal[tuple(HOSTS)]  # the choice in forms and the error for another name
MediaType = Annotated[str, Field(pattern=r"^([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)?$")]  # RFC 6838, 4.2


class PluginFolder(FrozenModel):
    """Say where plugins live, and where they are published."""

    folder: str = Field(description="Folder that holds one folder per plugin; empty: the plugins lie at the top")
    below: str = Field("", description="Path below each destination that they are published at; empty: right there")

    @field_validator("below")
    @classmethod
    def _check_path(cls, below: str) -> str:
        try:
            return check_repository(below, subject="") if below else ""
        except RequestError as error:
            raise ValueError(error.message) from None

    def folder_of(self, name: str) -> str:
        """Return the folder of the plugin `name`."""
        return f"{self.folder}/{name}" if self.folder else name


class LanguageLayout(PluginFolder):
    """Say where the plugins of one language live and which builder compiles them."""

    builder: str = Field(description="Name of a folder in builders/")
    folders: tuple[PluginFolder, ...] = Field((), description="Further folders with plugins of the language")

    @property
    def places(self) -> tuple[PluginFolder, ...]:
        """Return every folder with plugins of the language."""
        return self, *self.folders


HIGRESS_LAYOUT: Mapping[str, LanguageLayout] = {
    "go": LanguageLayout(
        folder="plugins/wasm-go/extensions",
        builder="go",
        folders=(PluginFolder(folder="plugins/wasm-go/mcp-servers", below="mcp-server"),),
    ),
    "tinygo": LanguageLayout(folder="plugins/wasm-go/extensions", builder="tinygo"),
    "rust": LanguageLayout(folder="plugins/wasm-rust/extensions", builder="rust"),
}


class PluginSettings(FrozenModel):
    """Settings of one plugin."""

    builder: str = Field("", description="Builder that compiles it; empty: the one of its language")
    inputs: tuple[str, ...] = Field((), description="Further files or folders that the compiler reads")
    probe: Probe | None = Field(None, description="What a real Envoy is asked, and must answer")


class RegistrySettings(FrozenModel):
    """What one registry insists on; the registries of a release share one digest, so they may not contradict."""

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


class RepositorySettings(FrozenModel):
    """The whole of pluginyard.yaml."""

    registries: tuple[RegistryAddress, ...] = Field((), description="Destinations: HOST/NAMESPACE or oci:PATH")
    gateways: tuple[Gateway, ...] = Field(("higress",), description="Gateways that must load what is published")
    layout: Mapping[str, LanguageLayout] = Field(
        default_factory=dict, description="Folder and builder of a language, over Higress's layout"
    )
    source_url: Address = Field("", description="Address of the repository for the artifact's annotations")
    latest: Literal["forward", "if-allowed", "never"] = Field(
        "forward",
        description="Whether the tag latest follows stable versions; if-allowed: a registry may refuse to move it",
    )
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
