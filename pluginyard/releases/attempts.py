"""How often a run may begin: what crashes is scheduled again by an automation that knows no limit."""

from __future__ import annotations

from pluginyard.errors import RepeatedCrashError

MOST_RUNS = 3


def refuse_after_crashes(run_count: int, subject: str = "flow run") -> None:
    """Raise RepeatedCrashError where a run begins for the fourth time.

    A build that takes its worker down (out of memory, say) would do so for ever.
    """
    if run_count > MOST_RUNS:
        raise RepeatedCrashError(
            f"started {MOST_RUNS} times already, and never finished",
            subject=subject,
            remedy="look at the workers' logs (memory, disk, restarts), fix that, then start a new run",
        )
