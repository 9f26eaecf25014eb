"""Which Prefect server records the runs of the command line, and where their history is read."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from pluginyard.errors import ServerError
from pluginyard.settings import strip_credentials

LOCAL = "http://127.0.0.1:4200/api"

# A server that lives as long as the command records what is left when it ends. Ended while it records in between, it
# would print a traceback first: hence seldom, whatever is set (by the run image, say) for servers that stay.
_RECORDER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "60",
}
_EPHEMERAL = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


@contextmanager
def recorded_runs() -> Iterator[str]:
    """Let runs be recorded; yield a line that says by which server.

    The one that is configured (PREFECT_API_URL, or the profile), else one that answers on this machine,
    else an ephemeral one. Raises ServerError where it does not answer, or refuses. Imports Prefect.
    """
    os.environ.update(_RECORDER)
    for name, value in _EPHEMERAL.items():
        os.environ.setdefault(name, value)
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_HOME, temporary_settings

    configured = PREFECT_API_URL.value()
    # Heartbeats are for workers that may die; without them a run's time is not rounded up to a second.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        if configured:
            with _server_errors(configured):
                yield f"run history: {_page(configured)}"
        elif answers(LOCAL):
            with temporary_settings({PREFECT_API_URL: LOCAL}), _server_errors(LOCAL):
                yield f"run history: {_page(LOCAL)}"
        else:
            PREFECT_HOME.value().mkdir(parents=True, exist_ok=True)  # Prefect's database does not make its folder
            yield f"run history: Prefect's ephemeral server, in {PREFECT_HOME.value()}; `prefect server start` shows it"


@contextmanager
def _server_errors(url: str) -> Iterator[None]:
    """Translate what Prefect's client raises where the server at `url` does not answer, or refuses."""
    import httpx

    try:
        yield
    except httpx.HTTPStatusError as error:
        if (translated := _refusal(url, error.response.status_code)) is None:
            raise
        raise translated from error
    except httpx.TransportError as error:
        raise _silence(url, error) from error
    except RuntimeError as error:  # what the client makes of any of them when it begins
        if not str(error).startswith("Failed to reach API"):
            raise
        raise _silence(url, error.__cause__ or error) from error


def _refusal(url: str, status: int) -> ServerError | None:
    """Return the error for an answer with `status`; None where that is a fault of ours."""
    if status in (401, 403):
        return ServerError(
            f"the Prefect server refuses to record the run (HTTP {status})",
            subject=_page(url),
            remedy="set PREFECT_API_AUTH_STRING=USER:PASSWORD (of Prefect Cloud: PREFECT_API_KEY)",
        )
    return _silence(url, f"HTTP {status}") if status >= 500 else None


def _silence(url: str, why: object) -> ServerError:
    reason, _, _ = strip_credentials(str(why)).partition("\n")
    return ServerError(
        f"the Prefect server does not answer: {reason}",
        subject=_page(url),
        remedy="start it, or mend PREFECT_API_URL; what was pushed before that stays, and the same command goes on",
    )


def _page(url: str) -> str:
    return strip_credentials(url).removesuffix("/").removesuffix("/api")


def answers(url: str) -> bool:
    """Tell whether a Prefect server answers at `url` within a second."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
