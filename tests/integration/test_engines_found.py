"""Which engine builds: as docker itself would choose, before a toolchain of this machine does."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.machine import choose_host
from pluginyard.errors import BuildError, ConfigurationError, EngineUnavailableError
from pluginyard.settings import load_site
from tasks.doors.builders import find_builders
from tasks.doors.containers import find_engine, search_engine
from tests.machine.engine import EngineHandle

GO = find_builders()["go"]
Configure = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the empty home of a user whose machine has no engine of its own."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tasks.doors.containers.endpoints.SYSTEM_SOCKETS", (str(tmp_path / "none.sock"),))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def configure(home: Path) -> Configure:
    def configure(address: str, name: str = "remote", *, use: bool = True, folder: Path | None = None) -> Path:
        """Write a docker context of that name as `docker context create` and `use` do."""
        own = folder or home / ".docker"
        meta = own / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        meta.mkdir(parents=True)
        endpoints = {"docker": {"Host": address, "SkipTLSVerify": False}}
        (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
        (own / "config.json").write_text(json.dumps({"currentContext": name} if use else {}))
        return own

    return configure


def test_the_current_context_is_taken(configure: Configure, engine_handle: EngineHandle) -> None:
    configure(engine_handle.address)
    found = find_engine()
    assert found is not None
    assert found.address == engine_handle.address
    assert search_engine().found
    assert choose_host(load_site({}))(GO) is None


def test_docker_itself_chooses_the_same(configure: Configure, engine_handle: EngineHandle) -> None:
    if not shutil.which("docker"):
        pytest.skip("the docker client is not here; the engine is asked without it")
    folder = configure(engine_handle.address)
    shown = subprocess.run(
        ["docker", "--config", str(folder), "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = find_engine()
    assert found is not None
    assert shown.stdout.strip() == found.address


def test_docker_context_comes_before_the_current_one_and_docker_host_before_both(
    configure: Configure, engine_handle: EngineHandle, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    configure("unix:///nowhere/docker.sock", "dead")
    configure(engine_handle.address, "live", use=False, folder=home / "other")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "other"))
    monkeypatch.setenv("DOCKER_CONTEXT", "live")
    assert search_engine().found
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EngineUnavailableError):
        search_engine()


@pytest.mark.parametrize("place", [".colima/default/docker.sock", ".docker/run/docker.sock", ".rd/docker.sock"])
def test_the_sockets_of_other_engines_are_found(place: str, home: Path, engine_handle: EngineHandle) -> None:
    (home / place).parent.mkdir(parents=True)
    (home / place).symlink_to(engine_handle.address.removeprefix("unix://"))
    found = find_engine()
    assert found is not None
    assert found.address == f"unix://{home / place}"


@pytest.mark.parametrize("place", ["docker.sock", "podman/podman.sock"])
def test_a_rootless_engine_is_found(
    place: str, home: Path, engine_handle: EngineHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "run" / place).parent.mkdir(parents=True)
    (home / "run" / place).symlink_to(engine_handle.address.removeprefix("unix://"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    assert search_engine().found
    assert find_engine() is not None


def test_a_context_that_the_environment_names_is_no_fallback(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("unix:///nowhere/docker.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "remote")
    with pytest.raises(EngineUnavailableError) as raised:
        search_engine()
    assert "docker context remote (unix:///nowhere/docker.sock)" in str(raised.value)
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    with pytest.raises(ConfigurationError, match="docker context other: there is no such docker context"):
        search_engine()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"currentContext": 3}', '{"currentContext": "gone"}'])
def test_a_configuration_that_says_nothing_of_use_is_passed_over(content: str, home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(content)
    assert not search_engine().found


def test_a_build_that_falls_back_although_an_engine_was_meant_says_so_in_its_report(
    configure: Configure, home: Path, example_repository: Path
) -> None:
    configure("unix:///nowhere/docker.sock")
    stale = home / ".colima/default/docker.sock"
    stale.parent.mkdir(parents=True)
    stale.touch()
    host = choose_host(load_site({}))(GO)
    assert host is not None
    assert host.note.endswith(
        f"without isolation: docker context remote (unix:///nowhere/docker.sock), {stale} did not answer"
    )
    assert planned(example_repository).notes == (host.note,)
    with pytest.raises(BuildError, match=r"no container engine answers \(docker context remote"):
        choose_host(load_site({}))(find_builders()["tinygo"])


def test_a_build_on_a_machine_that_has_no_engine_says_nothing_of_one(home: Path) -> None:
    host = choose_host(load_site({}))(GO)
    assert host is not None
    assert host.note == ""
    with pytest.raises(BuildError, match="there is no container engine"):
        choose_host(load_site({}))(find_builders()["tinygo"])


def planned(repository: Path) -> Any:
    from pluginyard.forms import PublishRequest
    from pluginyard.releases import resolve_request
    from tasks.doors import sources

    request = PublishRequest(repository=str(repository), plugin="request-block", registries=["r.example.com/p"])
    site = load_site({})
    source = sources.open_release(request, resolve_request(request), cache=repository, site=site)
    return sources.plan_release(
        request,
        resolve_request(request),
        source,
        site=site,
        builders=find_builders(),
        choose_host=choose_host(site),
    )
