"""Sessions of requests as registries need them: whom they trust, and what they send of their own accord."""

from __future__ import annotations

import os
import ssl
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.util.ssl_ import create_urllib3_context

from pluginyard.errors import ConfigurationError
from tasks.doors.registries.client.bounds import BoundedAdapter


def new_session(ca_bundle: str) -> requests.Session:
    """Return a session that trusts the authorities in `ca_bundle` too, beside those that it trusts anyway.

    It takes no cookies: a registry that sets one takes us for a browser later. Raises ConfigurationError for a bundle
    that is not there or holds no certificate.
    """
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter())
    if ca_bundle:
        session.mount("https://", _TrustingAdapter(_trusting(ca_bundle)))
    return session


def system_authorities() -> str | bool:
    """Return what requests verifies with: its own variables, SSL_CERT_FILE, its default."""
    if any(os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")):
        return True
    return os.environ.get("SSL_CERT_FILE") or True


def _trusting(ca_bundle: str) -> ssl.SSLContext:
    if not Path(ca_bundle).is_file():
        raise ConfigurationError("there is no such CA bundle", subject=ca_bundle, remedy="name a PEM file")
    context = create_urllib3_context()
    try:
        context.load_verify_locations(ca_bundle)
    except ssl.SSLError:
        raise ConfigurationError(
            "the CA bundle holds no certificate", subject=ca_bundle, remedy="name a PEM file"
        ) from None
    return context


class ExactAuthorization(AuthBase):
    """Set the header ourselves: without an auth object requests would put in what it finds in ~/.netrc."""

    def __init__(self, header: str):
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header, if there is one."""
        if self._header:
            request.headers["Authorization"] = self._header
        return request


class _Session(requests.Session):
    """Leave redirects alone: requests looks into one that it is not to follow, and reads all of its body."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return none."""


class _TrustingAdapter(BoundedAdapter):
    """Connect with a context that has authorities already; requests adds those of the system to it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Hand the context on to connections that are direct."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Hand the context on to connections through a proxy."""
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)
