"""Addresses of repositories and registries: valid, and without a password, since a run shows its parameters."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pluginyard.errors import RequestError
from pluginyard.oci import parse_destination

_WITH_PASSWORD = r"https?://[^/]*@|\w+://[^/@]*:[^/@]*@"  # noqa: S105 (the form of an address, no password)
_REGISTRY_WITH_USER = r"(?!oci:(?!//))(?:\w+://)?[^/]*@"


def check_address(address: str) -> str:
    """Return `address`; raise ValueError, which quotes nothing of it, where it holds a user's token or password."""
    if re.match(_WITH_PASSWORD, address):
        raise ValueError("the address holds a user or password: give the workers' git a credential helper or ssh key")
    return address


def check_registry(registry: str) -> str:
    """Return `registry`; raise ValueError where it leads to no registry and no folder, or holds a user or password.

    Of a password nothing is quoted.
    """
    if re.match(_REGISTRY_WITH_USER, registry):
        raise ValueError("the registry holds a user or password: use a registry-credentials block or the environment")
    try:
        parse_destination(registry)
    except RequestError as error:
        raise ValueError(f"{error.subject}: {error.message}: {error.remedy}") from error
    return registry


def strip_credentials(text: str) -> str:
    """Return `text` without the user and password of any URL in it."""
    return re.sub(r"(?<=\w://)[^/\s'\"]*@", "", text)


# The patterns are for the Prefect server: it refuses a run before it stores its parameters.
Address = Annotated[str, AfterValidator(check_address), Field(json_schema_extra={"pattern": f"^(?!{_WITH_PASSWORD})"})]
RegistryAddress = Annotated[
    str, AfterValidator(check_registry), Field(json_schema_extra={"pattern": f"^(?!{_REGISTRY_WITH_USER})"})
]
