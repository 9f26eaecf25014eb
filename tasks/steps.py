"""What every task run shares: which errors are tried again, how long to wait, how to log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import SyncClientContext
from prefect.exceptions import MissingContextError
from prefect.tasks import Task, exponential_backoff
from prefect.utilities.annotations import opaque

from pluginyard.errors import PluginyardError
from pluginyard.printable import printable

_P = ParamSpec("_P")
_R = TypeVar("_R")


def is_transient(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a failed task run may be tried again: only where its error says so."""
    try:
        state.result()
    except PluginyardError as error:
        return error.transient
    except Exception:
        return False  # a fault of ours: trying again would hide it
    return False


class Step(Task[_P, _R]):
    """Hand values on without a look inside: Prefect would walk each file of every plan, twice a task run.

    A value that another task returned is still seen, so the run's graph has its edges.
    """

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:  # type: ignore[override]  # states are not asked for
        """Run the task in the flow that runs."""
        hidden = {name: opaque(value) for name, value in kwargs.items()}
        return super().__call__(*map(opaque, args), **hidden)  # type: ignore[arg-type]


def step(name: str, subject: str, *, seconds: int, retries: int = 0) -> Callable[[Callable[_P, _R]], Step[_P, _R]]:
    """Make a function the task `name`, whose runs are called `name subject`; `subject` may use parameters.

    `retries` are for transient errors only, with exponential back-off and jitter. `seconds` is a second line: each
    door ends what it waits for before that.
    """

    def decorate(function: Callable[_P, _R]) -> Step[_P, _R]:
        return Step(
            function,
            name=name,
            task_run_name=f"{name} {subject}",
            cache_policy=NO_CACHE,
            retries=retries,
            retry_delay_seconds=exponential_backoff(backoff_factor=2),
            retry_jitter_factor=0.5,
            retry_condition_fn=is_transient,
            timeout_seconds=seconds,
        )

    return decorate


@contextmanager
def one_client() -> Iterator[SyncPrefectClient]:
    """Give the client of the run, or one that task runs in other threads share while the block lasts.

    Without it each task run in a thread of an asynchronous flow makes its own, and reads the machine's certificate
    authorities for it: 20 ms of a processor.
    """
    with SyncClientContext.get_or_create() as context:
        yield context.client


_COMPLETED = ("prefect.task_runs", "Finished in state Completed()")


def _worth_reading(record: logging.LogRecord) -> bool:
    """Keep a run's log for people: an error that says what to do in its own words, no remark about threads."""
    text = record.getMessage()
    if record.exc_info and isinstance(error := record.exc_info[1], PluginyardError):
        text = text.replace(repr(error), f"{type(error).__name__}: {error}")
        record.msg, record.args, record.exc_info = text, None, None
    elif text.startswith("Finished in state Failed("):
        text = text.replace("\\n", "\n")  # shown as Python would write it
        # A flow's error was logged just before, as an exception.
        record.msg, record.args = text.partition("\n")[0] if record.name == "prefect.flow_runs" else text, None
    # In the threads of a batch Prefect's own time limit cannot interrupt; the doors' limits can. That a task completed
    # says the run's graph, and the task's own line says what it did.
    return not text.startswith("Timeout of ") and (record.name, text) != _COMPLETED


for _logger in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_logger).addFilter(_worth_reading)


def log(line: str) -> None:
    """Write `line` to the run's log, or to Python's own where no run is under way."""
    shown = printable(line, lines=True)
    try:
        get_run_logger().info(shown)
    except MissingContextError:
        logging.getLogger("pluginyard").info(shown)
