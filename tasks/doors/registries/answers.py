"""Translate what a registry answers, or how it fails to, into errors for the person who must act."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from typing import Any, TypeVar

import requests
import urllib3.exceptions

from pluginyard.errors import (
    AuthenticationError,
    PluginyardError,
    RegistryError,
    RegistryUnavailableError,
    VersionTakenError,
)
from pluginyard.oci import ABSENT_CODES, IMAGE_CONFIG, is_transient_answer
from pluginyard.parsing import load_json

_LONGEST_QUOTE = 300
_LONGEST_READ = 3000
_PLAIN_HTTP_SPOKEN = ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER_FAILURE", "record layer")
_UNTRUSTED = ("is not trusted", "name its authority (PEM) as CA bundle: PLUGINYARD_CA_BUNDLE")
# By OpenSSL's X509_V_ERR_… codes: what no CA bundle would mend.
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
_TYPE_REFUSED = re.compile(r"manifest class|media ?type|unsupported type", re.IGNORECASE)


class RegistryBusyError(RegistryUnavailableError):
    """The registry answers 429 or 5xx; `retry_after` is what its header says."""

    def __init__(self, message: str, *, subject: str, remedy: str, retry_after: str = "") -> None:
        super().__init__(message, subject=subject, remedy=remedy)
        self.retry_after = retry_after


class SilentError(RegistryUnavailableError):
    """The registry took the question and says nothing: each try costs the whole time limit."""

    tries = 2


class AbsentError(RegistryError):
    """The registry says that there is no such manifest or repository: an answer, where one may be missing."""


class TagMovedError(RegistryError):
    """The tag holds another digest than the one that was just stored under it."""


def version_taken(subject: str, digest: str) -> VersionTakenError:
    """Return the error for a version tag that holds another digest."""
    return VersionTakenError(
        f"the version is published already, as {digest}",
        subject=subject,
        remedy="publish a new version, or ask for overwriting",
    )


def codes_of(response: requests.Response) -> list[tuple[str, str]]:
    """Return the (code, message) pairs of an error answer (distribution-spec v1.1, "Error codes")."""
    try:
        errors = load_json(response.content).get("errors")
    except (ValueError, AttributeError):
        return []
    entries: list[Any] = errors if isinstance(errors, list) else []
    return [(str(entry.get("code", "")), str(entry.get("message", ""))) for entry in entries if isinstance(entry, dict)]


def quote(response: requests.Response, secrets: Iterable[str]) -> str:
    """Return the registry's own words, short, on one line, and without what it must not repeat."""
    words = "; ".join(f"{code}: {text}" if text else code for code, text in codes_of(response))
    if not words and "html" not in response.headers.get("Content-Type", ""):
        words = response.content[:_LONGEST_READ].decode("utf-8", "replace")
    for secret in secrets:
        words = words.replace(secret, "***")
    words = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return words[:_LONGEST_QUOTE]


def error_of(
    response: requests.Response, subject: str, *, who: str = "", secrets: Iterable[str] = ()
) -> PluginyardError:
    """Return the error that an unexpected answer stands for; AbsentError where it says that nothing is there."""
    status, words = response.status_code, quote(response, secrets)
    codes = [code for code, _ in codes_of(response)]
    said = f"the registry answers {status}" + (f" ({words})" if words else "")
    if is_transient_answer(status, codes):
        return RegistryBusyError(
            said,
            subject=subject,
            remedy="try again later",
            retry_after=response.headers.get("Retry-After", ""),
        )
    if status in {400, 403, 415} and _TYPE_REFUSED.search(words):
        return RegistryError(
            said,
            subject=subject,
            remedy=f"it refuses a media type: set config_media_type: {IMAGE_CONFIG} for it in pluginyard.yaml",
        )
    if status in {401, 403}:
        return denied(said, subject, who)
    if "HTTP request to an HTTPS server" in words:
        return RegistryError(said, subject=subject, remedy="the registry speaks HTTPS: leave --plain-http away")
    if status == 404:
        kind = AbsentError if ABSENT_CODES.intersection(codes) else RegistryError
        return kind(said, subject=subject, remedy="check the host and the path, or create the repository")
    return RegistryError(said, subject=subject, remedy="ask the registry's operator what it refuses")


def denied(said: str, subject: str, who: str) -> AuthenticationError:
    """Return the error for credentials that are refused, missing or not allowed to do this."""
    remedy = (
        "check user, password and rights" if who else "set REGISTRY_USERNAME and REGISTRY_PASSWORD, or run docker login"
    )
    return AuthenticationError(f"{said}, asked {who or 'anonymously'}", subject=subject, remedy=remedy)


def failure_of(error: requests.RequestException | urllib3.exceptions.HTTPError, subject: str) -> PluginyardError:
    """Return the error that a request without an answer stands for; URLs and proxies stay out of it."""
    if isinstance(error, requests.exceptions.ProxyError):
        return RegistryUnavailableError(
            "the HTTP proxy does not let us through", subject=subject, remedy="check HTTPS_PROXY and NO_PROXY"
        )
    if _cause(error, ssl.SSLError) or isinstance(error, requests.exceptions.SSLError):
        return _tls_failure(error, subject)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return RegistryUnavailableError(
            "no connection within the time limit", subject=subject, remedy="check host, port and network"
        )
    if isinstance(error, requests.exceptions.Timeout) or _cause(error, urllib3.exceptions.ReadTimeoutError):
        return SilentError(
            "the registry fell silent for longer than the time limit", subject=subject, remedy="try again later"
        )
    if isinstance(error, _BROKEN_OFF):
        return RegistryUnavailableError(
            f"cannot talk to the registry: {_reason(error)}",
            subject=subject,
            remedy="check host, port and network",
        )
    return RegistryError(
        f"the registry cannot be asked: {type(error).__name__}", subject=subject, remedy="check the reference"
    )


def is_plain_http(error: Exception) -> bool:
    """Tell whether a TLS handshake failed because the other side answered it with HTTP."""
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
        return RegistryError(
            "the registry does not speak HTTPS", subject=subject, remedy="use --plain-http for this registry"
        )
    reason = str(getattr(_cause(error, ssl.SSLError), "reason", None) or "it broke off").lower().replace("_", " ")
    return RegistryUnavailableError(
        f"the TLS connection fails: {reason}", subject=subject, remedy="check host, port and network"
    )


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
