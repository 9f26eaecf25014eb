from __future__ import annotations

import pytest

from pluginyard.errors import RepeatedCrashError
from pluginyard.releases import MOST_RUNS, refuse_after_crashes


def test_the_third_begin_is_the_last() -> None:
    refuse_after_crashes(3)
    with pytest.raises(RepeatedCrashError, match="started 3 times already"):
        refuse_after_crashes(4)
    assert MOST_RUNS == 3
