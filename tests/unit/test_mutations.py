"""A few hundred mutations of good inputs for each reader of bytes that are not trusted; the fuzz tests try more."""

from __future__ import annotations

import random
import time

import pytest

from tests.machine.fuzz_targets import TARGETS, mutate

_ROUNDS = 200


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_changed_in_an_input_only_the_readers_own_errors_come_of_it(name: str) -> None:
    chance, target = random.Random(name), TARGETS[name]
    for _ in range(_ROUNDS):
        content = mutate(chance.choice(target.seeds), chance)
        begin = time.process_time()
        target(content)
        assert time.process_time() - begin < 5, content
