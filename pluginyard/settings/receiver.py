"""The settings of the webhook receiver, read from environment variables."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from pydantic import Field, field_validator

from pluginyard.errors import ConfigurationError
from pluginyard.parsing import FrozenModel, check_model
from pluginyard.settings.trusted import TrustedRepository, load_trusted


class ReceiverSettings(FrozenModel):
    """Hold the receiver's settings; each field is read from the variable its description names."""

    repositories: Mapping[str, TrustedRepository] = Field(
        description="PLUGINYARD_GITHUB_SECRETS_FILE, or PLUGINYARD_GITHUB_SECRET and PLUGINYARD_GITHUB_REPOSITORIES"
    )
    deployment: str = Field(
        "publish-plugin/on-tag", pattern=r"^[^/]+/[^/]+$", description="PLUGINYARD_RECEIVER_DEPLOYMENT: what is started"
    )
    max_bytes: int = Field(
        1024 * 1024, ge=1024, le=32 * 1024 * 1024, description="PLUGINYARD_RECEIVER_MAX_BYTES: of a body"
    )
    rate: float = Field(
        5, gt=0, description="PLUGINYARD_RECEIVER_RATE: requests a second of a repository, unsigned ones of an address"
    )
    burst: int = Field(300, ge=1, description="PLUGINYARD_RECEIVER_BURST: how many of them may come at once")
    trust_proxy: str = Field(
        "",
        description="PLUGINYARD_RECEIVER_TRUST_PROXY: addresses or networks, by commas, of reverse proxies whose "
        "X-Forwarded-For names the client",
    )
    request_seconds: float = Field(
        10,
        gt=0,
        le=60,
        description="PLUGINYARD_RECEIVER_REQUEST_SECONDS: for sending the headers, and again for the body",
    )
    seconds: float = Field(
        8, gt=0, le=9.5, description="PLUGINYARD_RECEIVER_SECONDS: limit for starting a run; GitHub waits ten"
    )

    @field_validator("trust_proxy")
    @classmethod
    def _networks(cls, text: str) -> str:
        """Refuse what names no machine: `*` would take every client's word for where it is."""
        try:
            return ",".join(str(ipaddress.ip_network(item.strip(), strict=False)) for item in text.split(",") if text)
        except ValueError:
            raise ValueError("write addresses or networks by commas, as in 127.0.0.1,172.16.0.0/12") from None


def load_receiver_settings(environment: Mapping[str, str], read: Callable[[str], bytes]) -> ReceiverSettings:
    """Load the settings; `read` returns the bytes of the secrets file. Raises ConfigurationError."""
    names = {field: f"PLUGINYARD_RECEIVER_{field.upper()}" for field in ReceiverSettings.model_fields}
    set_ones = {field: environment[name] for field, name in names.items() if environment.get(name)}
    values = {**set_ones, "repositories": load_trusted(environment, read)}
    try:
        return check_model(ReceiverSettings, values, subject="the environment")
    except ConfigurationError as error:
        field = error.message.partition(":")[0]
        raise ConfigurationError(
            error.message, subject=names.get(field, field), remedy="mend or unset the variable"
        ) from None
