from __future__ import annotations

import pytest

from pluginyard.webhooks import find_status_apis

TOKEN = {"PLUGINYARD_GITHUB_TOKEN": "ghp_secret"}


def test_without_a_token_there_is_no_forge() -> None:
    assert find_status_apis({}) == ()
    assert find_status_apis({"PLUGINYARD_GITHUB_TOKEN": " ", "PLUGINYARD_GITHUB_API": "https://api.github.com"}) == ()


def test_the_token_is_in_no_text_of_the_forge() -> None:
    assert "ghp_secret" not in repr(find_status_apis(TOKEN))


@pytest.mark.parametrize(
    ("environment", "api", "host"),
    [
        ({}, "https://api.github.com", "github.com"),
        ({"PLUGINYARD_GITHUB_URL": "https://git.acme.example/"}, "https://git.acme.example/api/v3", "git.acme.example"),
        ({"PLUGINYARD_GITHUB_API": "http://127.0.0.1:9/x"}, "http://127.0.0.1:9/x", "github.com"),
    ],
)
def test_the_address_of_the_api_follows_from_the_forges_own(environment: dict[str, str], api: str, host: str) -> None:
    (found,) = find_status_apis(TOKEN | environment)
    assert (found.url, found.host) == (api, host)


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("https://github.com/acme/plugins.git", "acme/plugins"),
        ("https://GitHub.com/acme/plugins/", "acme/plugins"),
        ("https://token@github.com/acme/plugins", "acme/plugins"),
        ("git@github.com:acme/plugins.git", "acme/plugins"),
        ("ssh://git@github.com:22/acme/plugins.git", "acme/plugins"),
        ("https://github.com.evil.example/acme/plugins", ""),
        ("https://gitlab.com/acme/plugins", ""),
        ("https://github.com/acme/plugins/extra", ""),
        ("https://evil.example/github.com/acme/plugins", ""),
        ("/srv/github.com/acme/plugins", ""),
        ("file:///github.com/acme/plugins", ""),
        ("", ""),
    ],
)
def test_only_repositories_of_the_forge_have_a_name_there(repository: str, name: str) -> None:
    (api,) = find_status_apis(TOKEN)
    assert api.name_of(repository) == name
