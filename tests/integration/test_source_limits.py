"""The door to git against remotes that mean no good, and against what git will not read."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from pluginyard.errors import SourceError
from tasks.doors import sources
from tasks.doors.sources import mirrors
from tests.machine.example_repository import git


def test_a_remote_that_never_answers_ends_with_the_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "FETCH_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceError) as failure:
        sources.open_source(f"git://127.0.0.1:{silent.getsockname()[1]}/plugins", cache=tmp_path)
    assert failure.value.transient
    assert "no answer within 1 s" in failure.value.message
    assert not list(tmp_path.rglob("*.partial"))


def test_waiting_for_the_run_that_is_at_the_mirror_ends_with_the_time_limit(
    small_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{small_repository}"
    mirror = Path(sources.open_source(url, cache=tmp_path).git_folder)
    monkeypatch.setattr(mirrors, "FETCH_SECONDS", 1)
    with mirror.with_name(f"{mirror.name}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match="no answer within 1 s"):
            sources.open_source(url, cache=tmp_path)
    assert sources.open_source(url, cache=tmp_path)


@pytest.mark.parametrize("address", ["ext::touch@host:pwned", "ext::sh -c touch% pwned a@b:c"])
def test_an_address_that_would_run_a_program_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError):
        sources.open_source(address, cache=tmp_path / "cache")
    assert not list(tmp_path.rglob("pwned"))


def test_a_clone_that_belongs_to_another_user_is_not_taken_for_an_empty_one(
    small_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own, for its tests
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(SourceError, match="dubious ownership") as failure:
        sources.open_source(str(small_repository), cache=tmp_path)
    assert failure.value.remedy.endswith(f"git config --global --add safe.directory {small_repository}")


def test_a_tag_that_leads_to_no_commit_says_what_it_leads_to(small_repository: Path, tmp_path: Path) -> None:
    git(small_repository, "tag", "wasm-go-a-v1.0.0", "HEAD^{tree}")
    with pytest.raises(SourceError, match="wasm-go-a-v1.0.0 leads to a tree") as failure:
        sources.open_source(str(small_repository), tag="wasm-go-a-v1.0.0", cache=tmp_path)
    assert failure.value.remedy == "tag a commit"


def test_a_cache_that_cannot_be_written_is_reported(small_repository: Path, tmp_path: Path) -> None:
    (tmp_path / "mirrors").touch()
    with pytest.raises(SourceError, match="its mirror cannot be written: File exists") as failure:
        sources.open_source(f"file://{small_repository}", cache=tmp_path)
    assert "PLUGINYARD_CACHE" in failure.value.remedy


@pytest.mark.parametrize("own", [{}, {"GIT_SSH_COMMAND": "ssh -p 2222"}, {"SSH_ASKPASS": "/usr/bin/my-askpass"}])
def test_ssh_asks_nobody_unless_a_person_said_how_it_is_run(
    own: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "ssh").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexit 255\n')
    (tmp_path / "ssh").chmod(0o755)
    with pytest.raises(SourceError):
        sources.open_source("git@git.example:plugins.git", cache=tmp_path)
    assert ("BatchMode=yes" in (tmp_path / "called").read_text()) is (not own)
