"""Programs of this machine that are asked for their version are told nothing that is none of their business."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluginyard.builds import Builder, load_builder
from tasks.doors.gateways import find_envoy
from tasks.doors.toolchains import find_toolchain

SECRET = "pass-4711-word"
VERSION = "envoy  version: 0123abc/1.40.0/Clean/RELEASE/BoringSSL"
TINY = b"""
toolchain: {name: tiny, version: 1.0.0, version_command: [tiny, version]}
manifest: tiny.toml
image: {ready: "tiny:1"}
host: {binary: tiny, minimum: "1.0", folder_command: [tiny, folder]}
compile: {commands: [[tiny, build]], output: "{work}/out/plugin.wasm"}
"""


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", SECRET)
    monkeypatch.setenv("RUSTUP_HOME", "/opt/rustup")
    (tmp_path / "bin").mkdir()


def program(folder: Path, name: str, says: str) -> Path:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\nenv >> {folder}/seen\n{says}\n")
    path.chmod(0o755)
    return path


def test_an_envoy_that_is_asked_for_its_version_sees_no_password(tmp_path: Path) -> None:
    found = find_envoy(str(program(tmp_path, "envoy", f"echo '{VERSION}'")))
    assert found is not None
    assert found.version == "1.40.0"
    assert SECRET not in (tmp_path / "seen").read_text()


def test_a_toolchain_that_is_asked_for_its_version_sees_no_password_and_finds_its_own_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "tiny", f'case "$1" in version) echo 1.2.3;; folder) echo {tmp_path};; esac')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    found = find_toolchain(tiny())
    assert found is not None
    assert (found.version, found.folder) == ("1.2.3", str(tmp_path))
    seen = (tmp_path / "seen").read_text()
    assert SECRET not in seen
    assert seen.count("RUSTUP_HOME=/opt/rustup\n") == 2
    assert seen.count("GOTOOLCHAIN=local\n") == 2


def tiny() -> Builder:
    return load_builder("tiny", {"builder.yaml": TINY})
