from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pluginyard.errors import GatewayError
from pluginyard.gateways import Probe
from tasks.doors.gateways import Envoy, find_envoy, load_in_envoy
from tasks.doors.gateways.envoy_log import BoundedLog
from tests.machine.host_toolchains import CompiledPlugins
from tests.machine.processes import processes_in


def test_envoy_is_gone_when_the_caller_is_interrupted(
    envoy: Envoy, compiled_plugins: CompiledPlugins, tmp_path: Path
) -> None:
    class Interruption(BaseException):
        pass

    def interrupt(*_: object) -> None:
        assert processes_in(tmp_path)
        raise Interruption

    module = compiled_plugins.go("broken-endless-start")
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(Interruption):
            load_in_envoy(envoy, module, Probe(), log=lambda _: None, workdir=tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert processes_in(tmp_path) == []
    assert list(tmp_path.glob("envoy-*")) == []


def test_envoy_dies_with_a_killed_worker(envoy: Envoy, compiled_plugins: CompiledPlugins, tmp_path: Path) -> None:
    module = compiled_plugins.go("broken-endless-start")
    program = (
        "import sys; from pathlib import Path; from pluginyard.gateways import Probe\n"
        "from tasks.doors.gateways import find_envoy, load_in_envoy\n"
        "load_in_envoy(find_envoy(sys.argv[1]), Path(sys.argv[2]), Probe(), log=print, workdir=Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", program, str(envoy.path), str(module), str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as worker:
        wait_for(lambda: len(processes_in(tmp_path)) > 0)
        worker.kill()
    wait_for(lambda: processes_in(tmp_path) == [])


def wait_for(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def executable(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_envoy_that_breaks_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(b"\0asm\x01\0\0\0")
    broken = Envoy(executable(tmp_path / "envoy", "echo cannot load a library >&2; exit 127"), "0.0.0")
    with pytest.raises(GatewayError) as caught:
        load_in_envoy(broken, module, Probe(), log=lambda _: None, workdir=tmp_path)
    assert "ended with code 127" in caught.value.message
    assert "cannot load a library" in caught.value.message


def test_what_an_envoy_started_by_a_script_leaves_is_ended_too(tmp_path: Path) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(b"\0asm\x01\0\0\0")
    script = executable(tmp_path / "envoy", "sleep 300 & wait")
    with pytest.raises(GatewayError, match="was not ready within 1 s"):
        load_in_envoy(Envoy(script, "0.0.0"), module, Probe(), log=lambda _: None, workdir=tmp_path, seconds=1)
    assert processes_in(tmp_path) == []


def test_a_log_without_end_is_kept_within_bounds() -> None:
    reading, writing = os.pipe()
    log = BoundedLog(reading)
    with os.fdopen(writing, "wb") as stream:
        stream.write(b"first\n")
        for _ in range(30):
            stream.write(b"x" * 1_000_000)
        stream.write(b"\nlast")
    log.finish()
    text = log.text()
    assert text.startswith("first")
    assert text.endswith("last")
    assert "bytes left out" in text
    assert len(text) < 300_000


def test_the_run_is_told_only_the_end_of_a_long_log(tmp_path: Path) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(b"\0asm\x01\0\0\0")
    told: list[str] = []
    noisy = executable(tmp_path / "envoy", "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 3")
    with pytest.raises(GatewayError, match="ended with code 3"):
        load_in_envoy(Envoy(noisy, "0.0.0"), module, Probe(), log=told.append, workdir=tmp_path)
    assert sum(map(len, told)) < 10_000
    assert told[0].endswith("the end")


def test_a_setting_that_names_no_envoy_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", executable(tmp_path / "other", "echo version 3")):
        with pytest.raises(GatewayError) as caught:
            find_envoy(str(path))
        assert caught.value.subject == str(path)
        assert caught.value.remedy


def test_the_setting_goes_before_the_path_and_the_path_before_the_wheel(
    envoy: Envoy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "echo 'envoy  version: 0a1b2c/{}/Clean/RELEASE/BoringSSL'"
    on_path = executable(tmp_path / "envoy", said.format("9.9.9"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert find_envoy() == Envoy(on_path, "9.9.9")
    assert find_envoy(str(executable(tmp_path / "set", said.format("8.8.8")))) == Envoy(tmp_path / "set", "8.8.8")
    monkeypatch.setenv("PATH", "/nowhere")
    found = find_envoy()
    assert found is None or found.version == envoy.version
