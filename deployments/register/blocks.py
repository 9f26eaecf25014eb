"""Prefect's blocks of ours: the credentials of a registry."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from pluginyard.errors import ConfigurationError
from tasks.server import RegistryCredentials


def register_block_type() -> str:
    """Register the type of the block; return a line."""
    RegistryCredentials.register_type_and_schema()
    return f"block type {RegistryCredentials._block_type_slug}"


def store_credentials(name: str, host: str, environment: Mapping[str, str]) -> str:
    """Store the environment's user and password as the block `name`; raise ConfigurationError if they are missing."""
    username, password = environment.get("REGISTRY_USERNAME", ""), environment.get("REGISTRY_PASSWORD", "")
    if not username or not password:
        raise ConfigurationError(
            "no user or no password", subject=name, remedy="set REGISTRY_USERNAME and REGISTRY_PASSWORD"
        )
    block = RegistryCredentials(username=username, password=SecretStr(password), host=host)
    block.save(name, overwrite=True)
    return f"block {name}: {username} at {host or 'every registry'}"
