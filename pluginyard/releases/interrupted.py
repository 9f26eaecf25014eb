"""What becomes of runs whose worker was ended.

>>> judge_interrupted({"a": "RUNNING", "b": "CANCELLING"}, online=["worker-1"], ended=["worker-1"])
{'a': 'SCHEDULED', 'b': 'CANCELLED'}
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

UNDER_WAY = ("RUNNING", "PENDING", "CANCELLING")
Run = TypeVar("Run", bound=Hashable)


def judge_interrupted(states: Mapping[Run, str], *, online: Collection[str], ended: Collection[str]) -> dict[Run, str]:
    """Return the next state of each run that was under way when the workers `ended`; `online` as the server says.

    Where other workers are online a run may be theirs: its heartbeats say so, and nothing is changed here.
    """
    if set(online) - set(ended):
        return {}
    after = {"RUNNING": "SCHEDULED", "PENDING": "SCHEDULED", "CANCELLING": "CANCELLED"}
    return {run: after[state] for run, state in states.items() if state in after}
