"""Which plugins of a repository are to be published: the one parameter of the flow `publish-plugins`, and its form."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pluginyard.forms.destinations import PlainHttpField, RegistriesField, SourceRequest
from pluginyard.forms.publish import PublishRequest


class RepositoryRequest(SourceRequest):
    """Name the plugins of one repository that are to be published: by default all that are not yet."""

    ref: str = Field("", title="Branch or commit", description="What to build; empty: the default branch")
    plugins: list[str] = Field(
        default_factory=lambda: ["*"],
        title="Plugins",
        description="Names, with * and ? as wildcards; empty, all or changed: every one. What is published is skipped",
        examples=[["request-*", "ai-cache"]],
    )
    languages: list[str] = Field(
        default_factory=list, title="Languages", description="Only these; empty: all", examples=[["go"]]
    )
    changed_since: str = Field(
        "",
        title="Changed since",
        description="Only plugins that would be built otherwise at this tag, branch or commit; empty: all",
    )
    when_taken: Literal["refuse", "snapshot"] = Field(
        "refuse",
        title="When the version is taken",
        description="A plugin that changed under a published VERSION: refuse it, or publish VERSION-snapshot.f…",
    )
    registries: RegistriesField = Field(default_factory=list)
    plain_http: PlainHttpField = False
    at_once: int = Field(2, ge=1, le=64, title="At once", description="Plugins that are built at the same time")
    run_in_envoy: bool = Field(False, title="Run in Envoy", description="Load each in a real Envoy and send its probe")

    @field_validator("plugins", "languages")
    @classmethod
    def _without_blanks(cls, names: list[str]) -> list[str]:
        """Drop what a form leaves empty."""
        return [name.strip() for name in names if name.strip()]

    @property
    def title(self) -> str:
        """Return what the run is called."""
        names = "all" if self.plugins in ([], ["*"]) else ", ".join(self.plugins)
        languages = f" ({', '.join(self.languages)})" if self.languages else ""
        since = f" changed since {self.changed_since}" if self.changed_since else ""
        return f"{names}{languages} of {self.repository or 'the repository of the site'}{since}"

    def for_plugin(self, language: str, name: str) -> PublishRequest:
        """Return the request that publishes one of the plugins alone."""
        return PublishRequest(
            repository=self.repository,
            plugin=name,
            language=language,
            ref=self.ref,
            registries=self.registries,
            plain_http=self.plain_http,
            run_in_envoy=self.run_in_envoy,
        )
