"""Translate requests that got no answer into errors for the person who must act."""

from __future__ import annotations

import ssl
from typing import TypeVar

import requests
import urllib3.exceptions

from pluginyard.errors import PluginyardError, RegistryError, RegistryUnavailableError

_PLAIN_HTTP_SPOKEN = ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER_FAILURE", "record layer")
_UNTRUSTED = ("is not trusted", "name its authority (PEM) as CA bundle: PLUGINYARD_CA_BUNDLE")
# By OpenSSL's X509_V_ERR_… codes: what no CA bundle would fix.
_REFUSED = {
    9: ("is not valid yet", "check the clock of this machine and of the registry's"),
    10: ("has expired", "have the registry's operator renew it"),
    62: ("is for another host", "use the name that the certificate is for"),
    64: ("is for another host", "use the name that the certificate is for"),
}
_BROKEN_OFF = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.ProtocolError,
)
Cause = TypeVar("Cause", bound=BaseException)


class SilentError(RegistryUnavailableError):
    """The registry took the request and does not answer: each try costs the whole time limit."""

    tries = 2


def failure_of(error: requests.RequestException | urllib3.exceptions.HTTPError, subject: str) -> PluginyardError:
    """Return the error that a request without an answer stands for; URLs and proxies stay out of it."""
    kind: type[RegistryError] = RegistryUnavailableError
    said, remedy = f"cannot talk to the registry: {_reason(error)}", "check host, port and network"
    if isinstance(error, requests.exceptions.ProxyError):
        said, remedy = "the HTTP proxy does not let us through", "check HTTPS_PROXY and NO_PROXY"
    elif _cause(error, ssl.SSLError) or isinstance(error, requests.exceptions.SSLError):
        return _tls_failure(error, subject)
    elif isinstance(error, requests.exceptions.ConnectTimeout):
        said = "no connection within the time limit"
    elif isinstance(error, requests.exceptions.Timeout) or _cause(error, urllib3.exceptions.ReadTimeoutError):
        kind, said = SilentError, "the registry fell silent for longer than the time limit"
        remedy = "try again later"
    elif not isinstance(error, _BROKEN_OFF):
        kind, said = RegistryError, f"the registry cannot be asked: {type(error).__name__}"
        remedy = "check the reference"
    return kind(said, subject=subject, remedy=remedy)


def is_plain_http(error: Exception) -> bool:
    """Return whether a TLS handshake failed because the other side answered it with HTTP."""
    return any(mark in str(error) for mark in _PLAIN_HTTP_SPOKEN)


def root_of(error: BaseException) -> BaseException:
    """Return the innermost exception: unlike those around it, it does not quote the address asked."""
    return _chain(error)[-1]


def _tls_failure(error: Exception, subject: str) -> RegistryError:
    refused = _cause(error, ssl.SSLCertVerificationError)
    if refused:
        said, remedy = _REFUSED.get(refused.verify_code, _UNTRUSTED)
        words = f"the registry's TLS certificate {said}: {refused.verify_message.rstrip('.')}"
        return RegistryError(words, subject=subject, remedy=remedy)
    if is_plain_http(error):
        remedy = "use --plain-http for this registry"
        return RegistryError("the registry does not speak HTTPS", subject=subject, remedy=remedy)
    reason = str(getattr(_cause(error, ssl.SSLError), "reason", None) or "it broke off").lower().replace("_", " ")
    said = f"the TLS connection fails: {reason}"
    return RegistryUnavailableError(said, subject=subject, remedy="check host, port and network")


def _chain(error: BaseException) -> list[BaseException]:
    """Return the exceptions that requests and urllib3 wrapped around each other, the outermost first."""
    seen = [error]
    for current in seen:
        links = [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
        seen += [link for link in links if isinstance(link, BaseException) and link not in seen]
    return seen


def _cause(error: BaseException, kind: type[Cause]) -> Cause | None:
    return next((link for link in _chain(error) if isinstance(link, kind)), None)


def _reason(error: BaseException) -> str:
    if _cause(error, urllib3.exceptions.NameResolutionError):
        return "the host name cannot be resolved"
    system = _cause(error, ConnectionError)
    words = getattr(system, "strerror", "") or ""
    return words.lower() or "the connection broke off"
