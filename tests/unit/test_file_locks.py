"""A lock is held by one at a time, for as long as its process lives."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.doors.locks import file_lock, is_locked

HOLD = (
    "import sys, time; from pathlib import Path; from tasks.doors.locks import file_lock\n"
    "with file_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "x.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_lock_of_another_process_is_not_had_before_that_is_killed(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.lock"
    started = time.monotonic()
    with pytest.raises(TimeoutError), file_lock(path, seconds=0):
        pass
    assert time.monotonic() - started < 0.5
    with pytest.raises(TimeoutError), file_lock(path, seconds=0.3):
        pass
    assert is_locked(path)
    holder.send_signal(signal.SIGKILL)
    with file_lock(path, seconds=10):
        assert is_locked(path)
    assert not is_locked(path)
    assert path.exists()


def test_whoever_waits_for_a_lock_can_be_stopped(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped), file_lock(tmp_path / "x.lock", check=stop):
        pass


def test_a_lock_that_is_not_there_is_not_held_and_not_made(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "x.lock")
    assert list(tmp_path.iterdir()) == []
