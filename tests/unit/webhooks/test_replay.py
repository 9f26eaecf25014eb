from __future__ import annotations

import pytest

from pluginyard.webhooks import is_replay


@pytest.mark.parametrize("now", [0.0, 59.0, 1e6])
def test_an_id_is_accepted_once_however_late_it_comes_again(now: float) -> None:
    assert is_replay(0.0, None, now)


def test_the_same_body_under_another_id_is_a_replay_for_a_minute() -> None:
    assert not is_replay(None, None, 100.0)
    assert [is_replay(None, 100.0, now) for now in (100.0, 159.9, 160.0)] == [True, True, False]
