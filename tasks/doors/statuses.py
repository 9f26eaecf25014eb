"""The door to a forge's commit statuses: post one, and try again where the forge asks for it."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import requests

from pluginyard.errors import StatusError, StatusUnavailableError
from pluginyard.oci import choose_delay, is_transient_status
from pluginyard.webhooks import StatusRequest

SECONDS = (5.0, 10.0)
"""To connect, and for each silence of the answer."""
TRIES = 3
_LONGEST_ANSWER = 4096
_log = logging.getLogger(__name__)


def post_status(request: StatusRequest, token: str) -> None:
    """Set the status.

    Raises StatusError where the forge refuses it, StatusUnavailableError where it still does not answer after
    three tries. The token is in neither.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return _post(request, token)
        except StatusUnavailableError as error:
            if attempt == TRIES:
                raise
            _wait(attempt, error)
    return None


def _post(request: StatusRequest, token: str) -> None:
    try:
        with requests.post(
            request.url,
            json=request.document,
            headers=request.headers,
            auth=_bearer(token),
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 201:
                raise _refused(response, token, request.subject)
    except requests.RequestException as error:
        # Its text quotes the address, and may quote a proxy's password.
        raise _unanswered(error, request.subject) from None


def _bearer(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what signs a request; given as `auth`, since a password of ~/.netrc would replace a mere header."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _refused(response: requests.Response, token: str, subject: str) -> StatusError:
    status, words = response.status_code, _words(response, token)
    said = f"the forge answers {status}" + (f" ({words})" if words else "")
    limits = response.headers
    limited = status == 403 and ("Retry-After" in limits or limits.get("x-ratelimit-remaining") == "0")
    if limited or is_transient_status(status):
        return StatusUnavailableError(
            said, subject=subject, remedy="try again later", retry_after=limits.get("Retry-After", "")
        )
    if status in (401, 403, 404):
        remedy = "give the token the right to write commit statuses of this repository"
    elif 300 <= status < 400:
        remedy = "the repository has moved: configure its new name"
    else:
        remedy = "check the commit, and the address of the API"
    return StatusError(said, subject=subject, remedy=remedy)


def _unanswered(error: requests.RequestException, subject: str) -> StatusError:
    if isinstance(error, requests.exceptions.SSLError):
        return StatusError("its TLS certificate is not trusted", subject=subject, remedy="check the address")
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return StatusUnavailableError(
            f"the forge does not answer: {type(error).__name__}", subject=subject, remedy="check address and network"
        )
    return StatusError(f"it cannot be asked: {type(error).__name__}", subject=subject, remedy="check the address")


def _words(response: requests.Response, token: str) -> str:
    """Return the start of what the forge says, on one line, without the token."""
    try:
        text = response.raw.read1(_LONGEST_ANSWER, decode_content=True).decode("utf-8", "replace")
    except Exception:
        return ""
    message = re.search(r'"message"\s*:\s*"([^"]{1,200})', text)
    words = (message[1] if message else "").replace(token, "***")
    return "".join(char if char.isprintable() else " " for char in words)


def _wait(attempt: int, error: StatusUnavailableError) -> None:
    delay = choose_delay(
        attempt,
        jitter=random.random(),  # noqa: S311 (spreads the tries, no secret)
        retry_after=error.retry_after,
        now=datetime.now(UTC),
    )
    _log.warning("%s: %s; try %d in %.1f s", error.subject, error.message, attempt + 1, delay)
    time.sleep(delay)
