"""Try again what failed transiently: the only place where anything at a registry is, so that tries do not multiply."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pluginyard.errors import PluginyardError
from pluginyard.oci import choose_delay

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Attempts:
    """Allow `most` tries of one operation on `subject`.

    With the 6 of `Access` the waits between them are 15.5 s at most, or what the registry asks for, at most 60 s each:
    5 minutes. A step of a flow that fails at a registry is not tried again on top.
    """

    most: int
    subject: str

    def run(self, operation: Callable[[], Result]) -> Result:
        """Return what `operation` returns; raise its error once it is final or the tries are used up."""
        attempt = 1
        while True:
            try:
                return operation()
            except PluginyardError as error:
                self.wait_or_raise(attempt, error)
                attempt += 1

    def wait_or_raise(self, attempt: int, error: PluginyardError) -> None:
        """Sleep before the try after failed `attempt`, as long as the registry asks for; or raise `error`."""
        if not error.transient or attempt >= min(self.most, getattr(error, "tries", self.most)):
            raise error
        delay = choose_delay(
            attempt,
            jitter=random.random(),  # noqa: S311 (spreads the tries, no secret)
            retry_after=str(getattr(error, "retry_after", "")),
            now=datetime.now(UTC),
        )
        _log.warning("%s: %s; try %d in %.1f s", self.subject, error.message, attempt + 1, delay)
        time.sleep(delay)
