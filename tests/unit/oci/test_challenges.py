"""What a registry says about how to authenticate, in every shape that registries send."""

from __future__ import annotations

import time

import pytest

from pluginyard.oci import choose_challenge
from pluginyard.oci.challenges import Challenge, parse_challenges

REALM = "https://git.example.com/v2/token"
BEARER = Challenge("bearer", {"realm": REALM, "service": "registry"})


@pytest.mark.parametrize(
    "header",
    [
        f'Bearer realm="{REALM}",service="registry"',
        f"bearer Realm={REALM} , SERVICE=registry",
        f'Bearer realm = "{REALM}", service = registry',
        f'Bearer realm="{REALM}",service="registry", Basic realm="Gitea Container Registry"',
        f'Basic realm="Gitea, Container = Registry", Bearer realm="{REALM}",service="registry"',
        f'Negotiate, Basic realm=x, Bearer realm="{REALM}",service="registry"',
        f'Negotiate dG9rZW4=, Bearer realm="{REALM}",service="registry"',
        f', ,Bearer realm="{REALM}",,service="registry",',
        f'Bearer realm="{REALM}" service="registry"',
        f'Bearer realm="{REALM}",service="registry",realm="https://later.example.com"',
        f'Bearer, Basic realm="x", Bearer realm="{REALM}",service="registry"',
    ],
)
def test_a_token_service_is_preferred_and_found_among_others(header: str) -> None:
    assert choose_challenge(header) == BEARER


def test_a_password_is_asked_for_where_there_is_no_token_service() -> None:
    assert choose_challenge('BASIC realm="a \\"b\\""') == Challenge("basic", {"realm": 'a "b"'})
    assert choose_challenge("Basic") == Challenge("basic")
    assert choose_challenge('Bearer, Basic realm="x"') == Challenge("basic", {"realm": "x"})


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="x"', 'realm="x"', '"', ",", "=", "Bearer=x"])
def test_what_offers_nothing_we_know_is_no_challenge(header: str) -> None:
    assert choose_challenge(header) is None


@pytest.mark.parametrize("header", ['Basic a="' * 9000, 'a="\\",' * 9000, "Basic " * 9000, "Basic a=" + '"\\' * 30_000])
def test_hostile_headers_are_read_in_no_time(header: str) -> None:
    began = time.process_time()
    parse_challenges(header)
    assert time.process_time() - began < 1
