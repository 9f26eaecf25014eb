"""Which Prefect server records the runs of the command line, and where their history is read."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pluginyard.errors import ServerError
from pluginyard.printable import printable
from pluginyard.settings import strip_credentials
from tasks.doors.locks import file_lock

_LOG = "ephemeral-server.log"
_START_SECONDS = 600
_QUOTED_LINES = 15
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
            home = PREFECT_HOME.value()
            with _server_errors(_start_ephemeral(home), remedy=f"see {home / _LOG}, and run the same command again"):
                yield f"run history: Prefect's ephemeral server, in {home}; `prefect server start` shows it"


def _start_ephemeral(home: Path) -> str:
    """Start the server that Prefect's client would start with the first request, and return its address.

    One command at a time: several that start in an empty home would all migrate its database. What the server prints
    goes to a log beside it. Raises ServerError where it does not start.
    """
    from prefect.server.api.server import SubprocessASGIServer

    home.mkdir(parents=True, exist_ok=True)  # Prefect's database does not make its folder
    log = home / _LOG
    server = SubprocessASGIServer()  # the one that the client asks for again
    try:
        with file_lock(home / "ephemeral-server.lock", seconds=_START_SECONDS), _errors_to(log):
            server.start()
    except (RuntimeError, OSError) as error:  # OSError: the lock's TimeoutError too
        server.stop()
        last = "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-_QUOTED_LINES:])
        reason, _, _ = str(error).partition("\n")
        raise ServerError(
            f"Prefect's ephemeral server does not start: {reason}\n{printable(last, lines=True)}".rstrip(),
            subject=str(home),
            remedy=f"see {log}; another PREFECT_HOME begins a new history, PREFECT_API_URL names a server",
        ) from error
    return server.api_url


@contextmanager
def _errors_to(log: Path) -> Iterator[None]:
    """Let what is printed on standard error, also by programs that are started in the block, go to the file `log`."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _server_errors(url: str, remedy: str = "start it, or fix PREFECT_API_URL") -> Iterator[None]:
    """Translate what Prefect's client raises where the server at `url` does not answer, or refuses."""
    import httpx

    try:
        yield
    except httpx.HTTPStatusError as error:
        if (translated := _refusal(url, error.response.status_code, remedy)) is None:
            raise
        raise translated from error
    except httpx.TransportError as error:
        raise _silence(url, error, remedy) from error
    except RuntimeError as error:  # what the client makes of any of them when it begins
        if not str(error).startswith("Failed to reach API"):
            raise
        raise _silence(url, error.__cause__ or error, remedy) from error


def _refusal(url: str, status: int, remedy: str) -> ServerError | None:
    """Return the error for an answer with `status`; None where that is a fault of ours."""
    if status in (401, 403):
        return ServerError(
            f"the Prefect server refuses to record the run (HTTP {status})",
            subject=_page(url),
            remedy="set PREFECT_API_AUTH_STRING=USER:PASSWORD (of Prefect Cloud: PREFECT_API_KEY)",
        )
    return _silence(url, f"HTTP {status}", remedy) if status >= 500 else None


def _silence(url: str, why: object, remedy: str) -> ServerError:
    reason, _, _ = strip_credentials(str(why)).partition("\n")
    return ServerError(
        f"the Prefect server does not answer: {reason}",
        subject=_page(url),
        remedy=f"{remedy}; what was pushed before that stays, and the same command goes on",
    )


def _page(url: str) -> str:
    return strip_credentials(url).removesuffix("/").removesuffix("/api")


def answers(url: str) -> bool:
    """Return whether a Prefect server answers at `url` within a second."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
