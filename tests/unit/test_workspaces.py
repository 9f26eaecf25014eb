from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pluginyard.oci import digest_of
from tasks.doors.locks import file_lock, is_locked
from tasks.doors.workspaces import DAY, UNUSED_DAYS, ModuleStore, _locked, is_alive, open_workspace


def test_the_folder_of_a_run_lives_as_long_as_the_run(tmp_path: Path) -> None:
    with open_workspace(tmp_path) as workspace:
        (workspace.folder / "file").write_text("x")
        assert is_alive(tmp_path, workspace.run_id)
    assert list((tmp_path / "runs").iterdir()) == []
    assert not is_alive(tmp_path, workspace.run_id)


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_workspace(tmp_path):
        raise KeyboardInterrupt
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tasks.doors.workspaces import open_workspace\n"
        "with open_workspace(Path(sys.argv[1])) as w: print(w.run_id, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    killed, living = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    try:
        dead, alive = (process.stdout.readline().strip() for process in (killed, living))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (tmp_path / "runs" / dead).is_dir()
        with open_workspace(tmp_path):
            assert not (tmp_path / "runs" / dead).exists()
            assert (tmp_path / "runs" / alive).is_dir()
    finally:
        living.kill()
        living.wait()


def test_a_run_of_another_machine_or_cache_counts_as_alive(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "other") as workspace, open_workspace(tmp_path / "mine"):
        pass
    assert is_alive(tmp_path / "mine", workspace.run_id), "its containers are not ours to sweep"


def test_a_module_counts_only_while_it_is_whole(tmp_path: Path) -> None:
    store = ModuleStore(tmp_path)
    path = store.path("sha256:" + "a" * 64)
    path.write_bytes(b"\0asm")
    assert not store.holds("sha256:" + "a" * 64), "not recorded: the build may have been killed"
    store.keep("sha256:" + "a" * 64, digest_of(path.read_bytes()))
    assert store.holds("sha256:" + "a" * 64)
    path.write_bytes(b"\0as")
    assert not store.holds("sha256:" + "a" * 64)


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def keep_module(cache: Path, letter: str, *, days: float) -> Path:
    store, fingerprint = ModuleStore(cache), "sha256:" + letter * 64
    path = store.path(fingerprint)
    path.write_bytes(b"\0asm")
    store.keep(fingerprint, digest_of(path.read_bytes()))
    for file in (path, path.with_suffix(".digest")):
        age(file, days)
    return path


def test_modules_that_nobody_used_for_a_month_are_removed_and_used_ones_stay(tmp_path: Path) -> None:
    unused, used = (keep_module(tmp_path, letter, days=UNUSED_DAYS + 1) for letter in "ab")
    assert ModuleStore(tmp_path).holds("sha256:" + "b" * 64)
    with open_workspace(tmp_path):
        assert not unused.exists()
        assert not unused.with_suffix(".digest").exists()
        assert ModuleStore(tmp_path).holds("sha256:" + "b" * 64)
        assert used.exists()


def test_what_a_killed_build_left_half_written_goes_after_a_day(tmp_path: Path) -> None:
    keep_module(tmp_path, "a", days=2)
    left, fresh = (tmp_path / "modules" / f".{letter * 64}.wasm.x1y2z3" for letter in "cd")
    for file, days in ((left, 1.5), (fresh, 0.5)):
        file.write_bytes(b"\0as")
        age(file, days)
    with open_workspace(tmp_path):
        pass
    assert not left.exists()
    assert fresh.exists(), "its build may still run"


def test_modules_are_looked_through_once_a_day(tmp_path: Path) -> None:
    keep_module(tmp_path, "a", days=0)
    with open_workspace(tmp_path):
        pass
    later = keep_module(tmp_path, "b", days=UNUSED_DAYS + 1)
    with open_workspace(tmp_path):
        assert later.exists()
    age(tmp_path / "modules.swept", 1.1)
    with open_workspace(tmp_path):
        assert not later.exists()


def test_a_run_whose_lock_file_was_removed_before_it_had_the_lock_makes_it_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with ThreadPoolExecutor(1) as pool:
        with file_lock(path):
            waiting = pool.submit(hold, path)
            time.sleep(0.2)
            path.unlink()
        assert waiting.result(timeout=10), "a lock that is nowhere to be found would count as free"


def hold(path: Path) -> bool:
    with _locked(path):
        return path.exists() and is_locked(path)
