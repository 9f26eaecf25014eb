"""What the forms of all flows ask in the same words: the repository, and where its plugins are published."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from pluginyard.parsing import FrozenModel
from pluginyard.settings import Address, RegistryAddress

RepositoryField = Annotated[
    Address,
    Field(
        title="Repository",
        description="URL of the plugin repository (no password in it), or the path of a clone on the worker; "
        "empty: the site's",
        examples=["https://github.com/acme/plugins.git"],
    ),
]
# Types, not inherited fields: a form shows the fields of a base first, and these belong below what a flow asks first.
RegistriesField = Annotated[
    list[RegistryAddress],
    Field(
        title="Registries",
        description="HOST/NAMESPACE, or oci:PATH for a folder; empty: the configured ones. All get the same digest",
        examples=[["registry.example.com/plugins"]],
    ),
]
PlainHttpField = Annotated[
    bool, Field(title="Plain HTTP", description="Speak HTTP to registries that do not speak TLS")
]


class DestinationRequest(FrozenModel):
    """Be the one parameter of a flow; each adds `registries` and `plain_http` where its form has them."""

    model_config = ConfigDict(hide_input_in_errors=True)


class SourceRequest(DestinationRequest):
    """Ask for one repository too: the first field of the form."""

    repository: RepositoryField = ""

    def at(self, repository: str) -> Self:
        """Return the same request for `repository`."""
        return self.model_copy(update={"repository": repository})
