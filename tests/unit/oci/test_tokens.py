"""What a token must allow, where it is asked for, and what counts as one."""

from __future__ import annotations

import pytest

from pluginyard.errors import RegistryError
from pluginyard.oci import actions_of, check_realm, parse_token, scope_text, scopes_of


def test_scopes_of_two_repositories_are_written_as_token_services_expect_them() -> None:
    scopes = scopes_of("team/a", "pull,push") | scopes_of("team/b", "pull")
    assert scope_text(scopes) == "repository:team/a:pull,push repository:team/b:pull"
    assert actions_of(scope_text(scopes)) == scopes


@pytest.mark.parametrize(
    "realm", ["", "token", "ftp://auth.example.com/", "https://", "https://u:p@h/", "http://[::1", "http://a\x1b[2J.b/"]
)
def test_a_realm_that_is_no_address_is_refused(realm: str) -> None:
    with pytest.raises(RegistryError, match="no usable token service") as caught:
        check_realm(realm, "r.example.com/a", plain_http=True)
    assert caught.value.subject == "r.example.com/a"


def test_a_realm_in_plain_http_is_for_registries_in_plain_http() -> None:
    assert check_realm("http://auth.example.com/token", "r", plain_http=True) == "http://auth.example.com/token"
    assert check_realm("https://auth.example.com/token", "r", plain_http=False) == "https://auth.example.com/token"
    with pytest.raises(RegistryError, match=r"auth\.example\.com speaks plain HTTP"):
        check_realm("http://auth.example.com/token", "r", plain_http=False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"token": "a", "expires_in": 300}', ("a", 300.0)),
        (b'{"access_token": "b"}', ("b", 60.0)),
        (b'{"token": "", "access_token": "b", "expires_in": "9"}', ("b", 9.0)),
        (b'{"token": 5}', None),
        (b'{"token": "a\\nb"}', None),
        (b'{"token": "\\u00e9"}', None),
        (b'{"token": "a", "expires_in": [5]}', None),
        (b"[]", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_token_is_a_printable_text_with_a_life_time(content: bytes, expected: tuple[str, float] | None) -> None:
    assert parse_token(content) == expected
