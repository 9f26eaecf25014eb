"""Which Prefect server records the runs of the command line, and where their history is read."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

LOCAL = "http://127.0.0.1:4200/api"

# A server that lives as long as the command has no workers to watch and little time to record.
_EPHEMERAL = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


@contextmanager
def recorded_runs() -> Iterator[str]:
    """Let runs be recorded; yield a line that says by which server.

    The one that is configured (PREFECT_API_URL, or the profile), else one that answers on this machine,
    else an ephemeral one. Imports Prefect.
    """
    for name, value in _EPHEMERAL.items():
        os.environ.setdefault(name, value)
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_HOME, temporary_settings

    configured = PREFECT_API_URL.value()
    # Heartbeats are for workers that may die; without them a run's time is not rounded up to a second.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        if configured:
            yield f"run history: {_page(configured)}"
        elif _answers(LOCAL):
            with temporary_settings({PREFECT_API_URL: LOCAL}):
                yield f"run history: {_page(LOCAL)}"
        else:
            PREFECT_HOME.value().mkdir(parents=True, exist_ok=True)  # Prefect's database does not make its folder
            yield f"run history: Prefect's ephemeral server, in {PREFECT_HOME.value()}; `prefect server start` shows it"


def _page(url: str) -> str:
    return url.removesuffix("/").removesuffix("/api")


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
