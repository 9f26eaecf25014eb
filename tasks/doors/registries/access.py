"""How a registry is reached, and with which credentials: values only."""

from __future__ import annotations

from dataclasses import dataclass, field

IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 (stands where a user name does)
"""User name under which Docker's credential helpers hand out an identity token instead of a password."""


@dataclass(frozen=True)
class Access:
    """Say how one registry is reached."""

    plain_http: bool = False
    ca_bundle: str = ""
    """PEM file of authorities to trust beside the system's; empty: the system's only."""
    connect_seconds: float = 10
    read_seconds: float = 60
    """Longest silence within an answer."""
    attempts: int = 5
    """Tries of one request, the first included; only transient failures are tried again."""


@dataclass(frozen=True)
class Credentials:
    """Hold what the registry is told; the password is in no representation of it."""

    username: str
    password: str = field(repr=False)
    origin: str
    """Where they were found, for messages: `environment`, `docker credential store`, …"""

    @property
    def is_identity_token(self) -> bool:
        """Tell whether the password is an OAuth2 refresh token (docker's `identitytoken`)."""
        return self.username == IDENTITY_TOKEN_USER
