"""The settings of the webhook receiver, read from environment variables."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from pluginyard.errors import ConfigurationError
from pluginyard.parsing import FrozenModel, check_model

# Limits that the reverse proxy in front holds now (deployments/receiver/nginx.conf): set, they are ignored.
_OF_THE_PROXY = ("RATE", "BURST", "REQUEST_SECONDS", "TRUST_PROXY")
MAX_BODY_BYTES = 32 * 1024 * 1024
_PREFIX = "PLUGINYARD_RECEIVER_"


class ReceiverSettings(FrozenModel):
    """Hold the receiver's settings; each field is read from the variable its description names."""

    deployment: str = Field(
        "publish-plugin/on-tag", pattern=r"^[^/]+/[^/]+$", description="PLUGINYARD_RECEIVER_DEPLOYMENT: what is started"
    )
    max_bytes: int = Field(
        1024 * 1024, ge=1024, le=MAX_BODY_BYTES, description="PLUGINYARD_RECEIVER_MAX_BYTES: of a body"
    )
    seconds: float = Field(
        8, gt=0, le=9.5, description="PLUGINYARD_RECEIVER_SECONDS: limit for starting a run; GitHub waits ten"
    )


def load_receiver_settings(environment: Mapping[str, str]) -> ReceiverSettings:
    """Load the settings; raise ConfigurationError that names the variable."""
    names = {field: f"{_PREFIX}{field.upper()}" for field in ReceiverSettings.model_fields}
    values = {field: environment[name] for field, name in names.items() if environment.get(name)}
    try:
        return check_model(ReceiverSettings, values, subject="the environment")
    except ConfigurationError as error:
        field = error.message.partition(":")[0]
        raise ConfigurationError(error.message, subject=names[field], remedy="fix or unset the variable") from None


def find_ignored(environment: Mapping[str, str]) -> list[str]:
    """Return the names of variables that are set and have no effect any more."""
    return [f"{_PREFIX}{name}" for name in _OF_THE_PROXY if environment.get(f"{_PREFIX}{name}")]
