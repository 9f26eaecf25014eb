"""Where credentials are found, with real helper programs in Docker's protocol."""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from pathlib import Path

import pytest

from pluginyard.errors import ConfigurationError
from tasks.doors.registries import Credentials, docker_credentials, find_machine_credentials
from tests.machine.artifacts import new_name, place_in
from tests.machine.registries import RunningRegistry

HOST = "registry.example.com:5000"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".docker").mkdir()
    (tmp_path / "bin").mkdir()
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", **more}


def write_config(home: Path, **config: object) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def write_helper(home: Path, name: str, script: str) -> None:
    program = home / "bin" / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def encoded(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def find(home: Path, host: str = HOST, **more: str) -> tuple[str, str] | None:
    found = find_machine_credentials(host, environment(home, **more))
    return (found.username, found.password) if found else None


def test_the_environment_comes_before_dockers_store_and_the_hosts_own_pair_before_the_general(home: Path) -> None:
    write_config(home, auths={HOST: {"auth": encoded("stored", "1")}})
    assert find(home) == ("stored", "1")
    general = {"REGISTRY_USERNAME": "general", "REGISTRY_PASSWORD": "2"}
    assert find(home, **general) == ("general", "2")
    own = {
        "REGISTRY_USERNAME__REGISTRY_EXAMPLE_COM_5000": "own",
        "REGISTRY_PASSWORD__REGISTRY_EXAMPLE_COM_5000": "3",
    }
    assert find(home, **general, **own) == ("own", "3")
    assert find(home, host="other.example.com", **own) is None


def test_half_a_pair_is_an_error_that_names_the_other_half(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="set without REGISTRY_PASSWORD") as caught:
        find(home, REGISTRY_USERNAME="user", REGISTRY_PASSWORD="")
    assert caught.value.subject == "REGISTRY_PASSWORD"
    with pytest.raises(ConfigurationError, match="set without REGISTRY_USERNAME"):
        find(home, REGISTRY_PASSWORD="s3cret")


def test_without_credentials_there_are_none(home: Path) -> None:
    assert find(home) is None
    assert find_machine_credentials(HOST, {}) is None
    write_config(home, auths={HOST: {}, "other.example.com": {"auth": encoded("a", "b")}})
    assert find(home) is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": encoded("user", "pa:ss wörd")}, ("user", "pa:ss wörd")),
        ({"username": "user", "password": "s3cret"}, ("user", "s3cret")),
        ({"auth": encoded("user", ""), "identitytoken": "token"}, ("<token>", "token")),
    ],
)
def test_inline_entries_are_read_as_docker_writes_them(
    home: Path, entry: dict[str, str], expected: tuple[str, str]
) -> None:
    for key in (HOST, f"https://{HOST}", f"https://{HOST}/v1/"):
        write_config(home, auths={key: entry})
        assert find(home) == expected


def test_docker_hubs_old_key_is_known(home: Path) -> None:
    write_config(home, auths={"https://index.docker.io/v1/": {"auth": encoded("user", "hub")}})
    assert find(home, host="docker.io") == ("user", "hub")


def test_helpers_are_asked_by_standard_input(home: Path) -> None:
    write_helper(home, "one", 'read host; [ "$1" = get ] && echo "{\\"Username\\":\\"$host\\",\\"Secret\\":\\"s\\"}"')
    write_config(home, credHelpers={HOST: "one"}, credsStore="missing")
    assert find(home) == (HOST, "s")
    write_config(home, credsStore="one", auths={HOST: {}})
    assert find(home) == (HOST, "s")


def test_a_store_that_has_nothing_is_no_error(home: Path) -> None:
    write_helper(home, "empty", "echo credentials not found in native keychain; exit 1")
    write_config(home, credsStore="empty", auths={HOST: {"auth": encoded("inline", "1")}})
    assert find(home) == ("inline", "1")


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "echo '{}'", "echo '[]'"])
def test_a_helper_that_fails_is_told_by_name_and_without_its_words(home: Path, script: str) -> None:
    write_helper(home, "broken", f"echo s3cret >&2; {script}")
    write_config(home, credsStore="broken")
    with pytest.raises(ConfigurationError, match="credential helper") as caught:
        find(home)
    assert caught.value.subject == "docker-credential-broken"
    assert "s3cret" not in str(caught.value)


def test_a_helper_that_waits_forever_is_not_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_credentials, "_HELPER_SECONDS", 0.3)
    write_helper(home, "slow", "exec sleep 60")
    write_config(home, credsStore="slow")
    started = time.monotonic()
    with pytest.raises(ConfigurationError, match="does not answer"):
        find(home)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["../evil", "/bin/sh", "a b", "", "-x", "a/b"])
def test_a_helpers_name_is_never_a_path(home: Path, name: str) -> None:
    write_config(home, credHelpers={HOST: name})
    with pytest.raises(ConfigurationError, match="not a credential helper's name"):
        find(home)


@pytest.mark.parametrize("text", ["{", "[]x", "\x00"])
def test_a_damaged_configuration_is_told_with_its_path(home: Path, text: str) -> None:
    (home / ".docker" / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        find(home)
    assert caught.value.subject.endswith("config.json")


def test_another_configuration_folder_is_used_where_docker_would(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": encoded("other", "1")}}}))
    assert find(home, DOCKER_CONFIG=str(other)) == ("other", "1")
    assert find_machine_credentials(HOST, {}, other / "config.json") == Credentials(
        "other", "1", f"docker configuration {other / 'config.json'}"
    )


def test_what_a_helper_hands_out_opens_the_registry(home: Path, basic_registry: RunningRegistry) -> None:
    answer = json.dumps({"Username": basic_registry.username, "Secret": basic_registry.password})
    (home / "answer").write_text(answer)
    write_helper(home, "real", f"cat {home / 'answer'}")
    write_config(home, credsStore="real")
    credentials = find_machine_credentials(basic_registry.host, environment(home))
    place = place_in(basic_registry)
    repository = type(place)(place.destination, place.access, credentials).open(new_name())
    assert repository.log_in() == "docker credential store"


def test_no_representation_of_credentials_shows_the_password() -> None:
    credentials = Credentials("user", "s3cret", "environment")
    assert "s3cret" not in f"{credentials} {credentials!r}"
