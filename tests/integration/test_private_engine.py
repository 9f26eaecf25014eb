from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.bridges import Bridge
from tests.machine.debian import can_install, find_binary
from tests.machine.engine import EngineFolders, status, stop
from tests.machine.engines import engine_root
from tests.machine.host_toolchains import miss

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "PLUGINYARD_TEST_CACHE": str(engine_root())}
    words = [sys.executable, "-m", "tests.machine.engine", *arguments]
    return subprocess.run(words, cwd=ROOT, env=known, capture_output=True, text=True, check=False)


def firewall() -> str:
    told = [
        subprocess.run([find_binary("iptables"), "-w", "-t", table, "-S"], capture_output=True, text=True).stdout
        for table in ("nat", "filter")
    ]
    return "\n".join(told)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    if not can_install():
        miss("root on Debian or Ubuntu")
    yield tmp_path / "engine"
    stop(tmp_path / "engine", remove=True)


def test_an_engine_of_its_own_starts_beside_others_and_goes_without_a_trace(root: Path, engine_handle: object) -> None:
    before, links = firewall(), sorted(os.listdir("/sys/class/net"))
    started = command("start", "--root", str(root))
    assert started.returncode == 0, started.stderr
    address = EngineFolders(root.resolve()).address
    assert f"export DOCKER_HOST={address}\n" in started.stdout
    assert "export PLUGINYARD_BASE_IMAGE=pluginyard-base:trixie\n" in started.stdout
    assert status(root)["answers"]
    assert command("start", "--root", str(root)).stdout == started.stdout
    assert status(engine_root())["answers"] or "PLUGINYARD_TEST_ENGINE" in os.environ
    assert command("stop", "--root", str(root), "--remove").returncode == 0
    assert not status(root)["answers"]
    assert not root.exists()
    assert not EngineFolders(root.resolve()).runtime.exists()
    assert (firewall(), sorted(os.listdir("/sys/class/net"))) == (before, links)
    assert str(root) not in Path("/proc/self/mounts").read_text()


def test_stopping_ends_no_process_that_only_has_its_number(root: Path) -> None:
    folders = EngineFolders(root.resolve())
    folders.runtime.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        folders.pid_file.write_text(str(stranger.pid))
        stop(root)
        assert stranger.poll() is None
        stranger.terminate()


def test_a_bridge_names_itself_in_every_rule() -> None:
    bridge = Bridge("pyard-abcdef", 7)
    assert all("pyard-abcdef" in rule for rule in bridge.rules)
    assert len(bridge.name) <= 15
