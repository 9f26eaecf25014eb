"""The door to a forge's commit statuses: say at the commit how its release went, with a link to the run.

The API is GitHub's, `POST /repos/{owner}/{repo}/statuses/{sha}`; servers that speak it have their own address.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import requests

from pluginyard.errors import StatusError, StatusUnavailableError
from pluginyard.oci import choose_delay, is_transient_status
from pluginyard.settings import FULL_NAME

CommitState = Literal["pending", "success", "failure", "error"]
GITHUB_API = "https://api.github.com"
SECONDS = (5.0, 10.0)
"""To connect, and for each silence of the answer."""
TRIES = 3
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST_DESCRIPTION = 140  # GitHub refuses longer ones
_LONGEST_ANSWER = 4096
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_log = logging.getLogger(__name__)


def post_status(
    api_url: str,
    repository: str,
    commit: str,
    state: CommitState,
    target_url: str,
    description: str,
    token: str,
    *,
    context: str = "pluginyard",
) -> None:
    """Set the status `context` of `commit` in the repository `owner/name`; the last one of a context counts.

    Raises StatusError where the forge refuses it, StatusUnavailableError where it still does not answer after
    three tries. The token is in neither, and is sent in the clear to this machine only.
    """
    subject = f"{repository}@{commit[:12]}"
    if not FULL_NAME.fullmatch(repository) or not _COMMIT.fullmatch(commit):
        raise StatusError("not owner/name and a full commit id", subject=subject, remedy="a status is set on a commit")
    url = f"{_checked(api_url)}/repos/{repository}/statuses/{commit}"
    status = {"state": state, "description": _shortened(description), "context": context}
    if target_url:
        status["target_url"] = target_url
    for attempt in range(1, TRIES + 1):
        try:
            return _post(url, status, token, subject)
        except StatusUnavailableError as error:
            if attempt == TRIES:
                raise
            _wait(attempt, error)
    return None


def _post(url: str, status: dict[str, str], token: str, subject: str) -> None:
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    try:
        with requests.post(
            url,
            json=status,
            headers=headers,
            auth=_bearer(token),
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 201:
                raise _refused(response, token, subject)
    except requests.RequestException as error:
        raise _unanswered(error, subject) from None  # its text quotes the address, and may quote a proxy's password


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


def _checked(api_url: str) -> str:
    parts = urlsplit(api_url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return api_url.rstrip("/")
    raise StatusError("a token is sent by HTTPS only", subject="the API's address", remedy=f"as {GITHUB_API}")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_DESCRIPTION else f"{line[: _LONGEST_DESCRIPTION - 1]}…"


def _wait(attempt: int, error: StatusUnavailableError) -> None:
    delay = choose_delay(
        attempt,
        jitter=random.random(),  # noqa: S311 (spreads the tries, no secret)
        retry_after=error.retry_after,
        now=datetime.now(UTC),
    )
    _log.warning("%s: %s; try %d in %.1f s", error.subject, error.message, attempt + 1, delay)
    time.sleep(delay)
