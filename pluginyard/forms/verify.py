"""What is verified of what is published: the one parameter of the flow `verify-published`, and so its form."""

from __future__ import annotations

from pydantic import Field

from pluginyard.forms.destinations import PlainHttpField, RegistriesField, RepositoryField, SourceRequest
from pluginyard.settings import Gateway


class VerifyRequest(SourceRequest):
    """Name the plugins whose published versions are looked at again, and how closely."""

    repository: RepositoryField = Field(
        "",
        description="URL of the plugin repository, or the path of a clone on the worker; empty: the site's, else none",
    )
    ref: str = Field("", title="Branch or commit", description="Whose plugins and VERSION files; empty: the default")
    plugins: list[str] = Field(
        default_factory=lambda: ["*"],
        title="Plugins",
        description="Names, with * and ? as wildcards over the repository's plugins; default: all",
        min_length=1,
    )
    registries: RegistriesField = Field(
        default_factory=list, description="HOST/NAMESPACE, or oci:PATH for a folder; empty: the configured ones"
    )
    plain_http: PlainHttpField = False
    gateways: list[Gateway] = Field(
        default_factory=list, title="Gateways", description="Gateways that must load them; empty: the repository's"
    )
    newest: int = Field(
        5, ge=0, title="Newest versions", description="How many versions of each plugin are looked into; 0: all"
    )
    pull_again_days: int = Field(
        30,
        ge=0,
        title="Pull again after (days)",
        description="What was pulled and judged longer ago than this is pulled again; 0: everything, every time",
    )
    accept: list[str] = Field(
        default_factory=list,
        title="Accept",
        description="References that were removed or moved on purpose, * and ? allowed: from now on they are right",
        examples=[["registry.example.com/plugins/request-block:1.0.*"]],
    )

    @property
    def title(self) -> str:
        """Return what the run is called."""
        names = "" if self.plugins == ["*"] else f"{', '.join(self.plugins)} of "
        return f"{names}{self.repository or 'the site'}"
