"""What a watch of tags looks after: the one parameter of the flow `watch-tags`, and so its form in the UI."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator

from pluginyard.forms.destinations import DestinationRequest, PlainHttpField, RegistriesField
from pluginyard.settings import Address


class WatchRequest(DestinationRequest):
    """Name the repositories whose new release tags are to be published."""

    repositories: list[Address] = Field(
        default_factory=list,
        title="Repositories",
        description="URLs of plugin repositories, or paths of clones on the worker; empty: the site's",
        examples=[["https://github.com/acme/plugins.git"]],
    )
    tags: str = Field(
        "wasm-*", title="Tags", description="Which tags, with * and ? as wildcards", examples=["wasm-rust-*"]
    )
    newer_than_days: int = Field(
        30,
        ge=0,
        title="Newer than (days)",
        description="Leave older tags alone, so that a repository with a history is not published anew; 0: no limit",
    )
    registries: RegistriesField = Field(default_factory=list)
    plain_http: PlainHttpField = False
    deployment: str = Field(
        "publish-plugin/on-tag",
        pattern=r"^[^/]+/[^/]+$",
        title="Deployment",
        description="FLOW/NAME of the deployment that is started for each new tag",
    )
    without_deployment: Literal["publish-here", "fail"] = Field(
        "publish-here",
        title="Without the deployment",
        description="Where there is no such deployment: publish within this run, one plugin after the other, or fail",
    )

    @field_validator("repositories")
    @classmethod
    def _each_once(cls, repositories: list[str]) -> list[str]:
        return list(dict.fromkeys(repositories))

    def at(self, repositories: list[str]) -> Self:
        """Return the same request for `repositories`."""
        return self.model_copy(update={"repositories": repositories})

    @property
    def title(self) -> str:
        """Return what the run is called."""
        first, *others = self.repositories or ["the repository of the site"]
        return f"{first} and {len(others)} more" if others else first
