"""How a registry is reached, and with which credentials."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field

from requests.utils import get_environ_proxies, select_proxy

from pluginyard.oci import Scheme, find_quirks, origin_of
from pluginyard.settings import Site
from tasks.doors.registries.failures import is_plain_http

IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 (stands where a user name does)
"""User name under which Docker's credential helpers hand out an identity token instead of a password."""
_HANDSHAKE_SECONDS = 5.0


@dataclass(frozen=True)
class Access:
    """Say how one registry is reached."""

    plain_http: bool = False
    ca_bundle: str = ""
    """PEM file of authorities to trust beside the system's; empty: the system's only."""
    connect_seconds: float = 10
    read_seconds: float = 60
    """Longest silence within an answer."""
    attempts: int = 6
    """Tries of one operation, the first included; only transient failures are tried again, and nothing above does."""


@dataclass(frozen=True)
class Credentials:
    """Hold what is sent to a registry that asks for it; the password is in no representation of it."""

    username: str
    password: str = field(repr=False)
    origin: str
    """Where they were found, for messages: `environment`, `docker credential store`, …"""

    @property
    def is_identity_token(self) -> bool:
        """Return whether the password is an OAuth2 refresh token (docker's `identitytoken`)."""
        return self.username == IDENTITY_TOKEN_USER


def access_to(host: str, site: Site, scheme: Scheme = "", *, plain_http: bool) -> Access:
    """Return how the registry `host` is reached; with `plain_http` the run allows HTTP where there is no TLS.

    So one run can publish to a local registry and a public one, and the public one's password is never sent in the
    clear.
    """
    rule = site.plain_http_for(host, scheme, allowed=plain_http)
    plain = bool(host) and (rule == "always" or (rule == "without TLS" and not speaks_tls(host)))
    return Access(plain_http=plain, ca_bundle=site.ca_bundle)


def speaks_tls(host: str, seconds: float = _HANDSHAKE_SECONDS) -> bool:
    """Return whether `host` (with its port, else 443) answers a TLS handshake, whosever its certificate is.

    What lies behind an HTTP proxy and cannot be asked directly is taken to, and so is what keeps silent.
    """
    url = f"https://{find_quirks(host).api_host or host}"
    _, name, port = origin_of(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # no authorities: reading them takes longer than the question
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        plain = socket.create_connection((name, port), timeout=seconds)
    except (OSError, UnicodeError):  # UnicodeError: a name that no name server can be asked for
        return bool(select_proxy(url, get_environ_proxies(url)))
    with plain:
        return _shakes_hands(plain, name, context)


def _shakes_hands(plain: socket.socket, name: str, context: ssl.SSLContext) -> bool:
    try:
        with context.wrap_socket(plain, server_hostname=name):
            return True
    except TimeoutError:
        return True
    except ssl.SSLError as error:  # another one is TLS as well: it wants a client's certificate, say
        return not (is_plain_http(error) or isinstance(error, ssl.SSLEOFError))
    except OSError:
        return False
