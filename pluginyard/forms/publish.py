"""What a person asks for: the one parameter of the flow `publish-plugin`, and so its form in the UI."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from pluginyard.forms.destinations import PlainHttpField, RegistriesField, SourceRequest


class PublishRequest(SourceRequest):
    """Name a plugin to publish: by its release tag, or by language, name and version."""

    tag: str = Field(
        "",
        title="Release tag",
        description="wasm-{language}-{name}-v{semver}; leave empty to name the plugin below",
        examples=["wasm-go-request-block-v1.0.0"],
    )
    plugin: str = Field("", title="Plugin", description="Name of the plugin's folder, when there is no tag")
    language: str = Field("go", title="Language", description="go, rust or tinygo, when there is no tag")
    version: str = Field(
        "", title="Version", description="SemVer without a leading v; empty: the plugin's VERSION file, else the commit"
    )
    ref: str = Field(
        "", title="Branch or commit", description="What to build when there is no tag; empty: the default branch"
    )
    registries: RegistriesField = Field(default_factory=list)
    plain_http: PlainHttpField = False
    overwrite: bool = Field(
        False, title="Overwrite", description="Move the version's tag even if it is published with other content"
    )
    run_in_envoy: bool = Field(
        False,
        title="Run in Envoy",
        description="Load what was published in a real Envoy and send it the probe's requests",
    )

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if bool(self.tag) == bool(self.plugin):
            raise ValueError("give either a release tag or a plugin's name")
        if self.tag and (self.version or self.ref):
            raise ValueError("a release tag says version and commit already: leave both empty")
        return self

    @property
    def title(self) -> str:
        """Return what the run is called."""
        return self.tag or f"{self.plugin} {self.version or self.ref}".strip()
