"""Which hosts are spoken to without TLS: those that are named, and of a run with --plain-http those that have none."""

from __future__ import annotations

import socket
import ssl

from requests.utils import get_environ_proxies, select_proxy

from pluginyard.oci import find_quirks, origin_of
from pluginyard.settings import Site
from tasks.doors.registries.access import Access
from tasks.doors.registries.answers import is_plain_http

_SECONDS = 5.0


def access_to(host: str, site: Site, *, plain_http: bool) -> Access:
    """Return how the registry `host` is reached; with `plain_http` the run allows HTTP where there is no TLS.

    So one run can publish to a local registry and a public one, and the public one's password is never sent in the
    clear.
    """
    named = isinstance(site.plain_http, tuple) and host in site.plain_http
    allowed = plain_http or site.plain_http is True
    plain = bool(host) and (named or (allowed and not speaks_tls(host)))
    return Access(plain_http=plain, ca_bundle=site.ca_bundle)


def speaks_tls(host: str, seconds: float = _SECONDS) -> bool:
    """Tell whether `host` (with its port, else 443) answers a TLS handshake; whose certificate it is does not matter.

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
