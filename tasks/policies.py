"""What every task run shares: which errors are tried again, how long to wait, how to log."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import MissingContextError
from prefect.tasks import Task, exponential_backoff

from pluginyard.errors import PluginyardError

RETRY_DELAYS = exponential_backoff(backoff_factor=2)
JITTER = 0.5


def is_transient(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a failed task run may be tried again: only where its error says so."""
    try:
        state.result()
    except PluginyardError as error:
        return error.transient
    except Exception:
        return False  # a fault of ours: trying again would hide it
    return False


def log(line: str) -> None:
    """Write `line` to the run's log, or to Python's own where no run is under way."""
    try:
        get_run_logger().info(line)
    except MissingContextError:
        logging.getLogger("pluginyard").info(line)
