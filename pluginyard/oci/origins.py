"""Who an address belongs to: credentials go to the origin they were given for, and to no other."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urljoin, urlsplit

from pluginyard.errors import RegistryError

Origin = tuple[str, str, int]
"""Scheme, host and port, in lower case and with the default port filled in (RFC 6454)."""
_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> Origin:
    """Return the origin of `url`; raise RegistryError where it is no http or https address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or not parts.hostname.isprintable():
        raise RegistryError(
            "the registry names an address that is not http or https", remedy="check the registry's settings"
        )
    return parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme]


def resolve_location(base: str, location: str) -> str:
    """Return the absolute address of a `Location` header in an answer from `base`.

    A registry behind a proxy that ends TLS often names itself with http: for the host that was reached
    with https the scheme stays https, so that content and credentials do not travel in the clear.
    Raises RegistryError where the header is missing, or leads from https to http elsewhere.
    """
    subject = urlsplit(base).netloc
    if not location:
        raise RegistryError(
            "the registry answers without the Location it owes", subject=subject, remedy="check its proxy"
        )
    try:
        target = urljoin(base, location)
    except ValueError:
        target = ""
    (scheme, host, port), (next_scheme, next_host, _) = origin_of(base), origin_of(target)
    if scheme == "https" and next_scheme == "http":
        if next_host != host:
            raise RegistryError(
                "the registry sends us from https to http on another host", subject=subject, remedy="check its settings"
            )
        parts = urlsplit(target)
        netloc = urlsplit(base).netloc if parts.port in {None, 80, port} else parts.netloc
        target = parts._replace(scheme="https", netloc=netloc).geturl()
    return target


def add_query(url: str, fields: Mapping[str, str]) -> str:
    """Return `url` with `fields` at the end of its query; what stands there already is not touched.

    A registry's upload address is opaque: one that is taken apart and put together again may lose what it means.
    """
    head = url.partition("#")[0]
    joint = "" if head.endswith(("?", "&")) else "&" if "?" in head else "?"
    return f"{head}{joint}{urlencode(fields)}"
