"""Which credentials are sent to a registry: a Prefect block, the environment, the container engine's own store."""

from __future__ import annotations

import os

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from pluginyard.errors import ConfigurationError
from pluginyard.settings import Site
from tasks.doors import registries
from tasks.doors.registries import Credentials


class RegistryCredentials(Block):
    """User and password of a registry, kept encrypted by the Prefect server."""

    _block_type_name = "Registry credentials"
    _block_type_slug = "pluginyard-registry-credentials"

    username: str = Field(description="User name, or the name of a robot account")
    password: SecretStr = Field(description="Password or access token")
    host: str = Field("", description="Registry this is for, with its port; empty: every registry")


def find_credentials(host: str, site: Site) -> Credentials | None:
    """Find credentials in the site's Prefect block, the environment, or the container engine's own store."""
    for name in filter(None, (item.strip() for item in site.credentials_block.split(","))):
        block = _load_block(name)
        if block.host in ("", host):
            return Credentials(block.username, block.password.get_secret_value(), f"Prefect block {name}")
    return registries.find_machine_credentials(host, os.environ)


def _load_block(name: str) -> RegistryCredentials:
    try:
        loaded = RegistryCredentials.load(name)
    except ValueError as error:
        raise ConfigurationError(
            "there is no such registry-credentials block",
            subject=name,
            remedy="make it in the UI under Blocks, or with python -m deployments.register --credentials",
        ) from error
    assert isinstance(loaded, RegistryCredentials)  # noqa: S101  # load() is asynchronous only within a loop
    return loaded
