"""What is open at the registries of a run, and for how long."""

from __future__ import annotations

import pytest

from pluginyard.oci import Destination, parse_destination
from pluginyard.settings import load_site
from tasks.doors.registries import Credentials
from tasks.registries import Registries
from tasks.registries import session as connections
from tasks.registries.session import IDLE_SECONDS

PLACE, OTHER = Destination("r.example.com", "plugins"), Destination("else.example.com", "plugins")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the hosts whose credentials were looked for."""
    hosts: list[str] = []

    def find(host: str, _: object) -> Credentials:
        hosts.append(host)
        return Credentials("robot", "s3cret", "the test")

    monkeypatch.setattr(connections, "find_credentials", find)
    return hosts


def test_a_repository_stays_open_and_credentials_are_looked_for_once_a_host(asked: list[str]) -> None:
    registries = Registries(load_site({}), plain_http=False)
    first = registries.open(PLACE, "a")
    assert registries.open(PLACE, "a") is first
    assert registries.open(PLACE, "b") is not first
    registries.open(OTHER, "a")
    assert asked == ["r.example.com", "else.example.com"]


def test_what_was_idle_for_long_is_opened_anew(asked: list[str]) -> None:
    now = [0.0]
    registries = Registries(load_site({}), plain_http=False, clock=lambda: now[0])
    first = registries.open(PLACE, "a")
    now[0] += IDLE_SECONDS
    assert registries.open(PLACE, "a") is first
    now[0] += IDLE_SECONDS + 1
    assert registries.open(PLACE, "a") is not first
    assert asked == ["r.example.com"], "the credentials are those of the run"


def test_of_thousands_only_the_last_are_kept(asked: list[str]) -> None:
    registries = Registries(load_site({}), plain_http=False)
    first = registries.open(PLACE, "0")
    last = [registries.open(PLACE, str(number)) for number in range(1, 1000)][-1]
    assert registries.open(PLACE, "999") is last
    assert registries.open(PLACE, "0") is not first


def test_http_in_one_address_is_for_the_registry_at_that_address(asked: list[str]) -> None:
    registries = Registries(load_site({}), plain_http=False)
    assert registries.lacks_tls(parse_destination("http://r.example.com/plugins"))
    assert not registries.lacks_tls(OTHER)
