from __future__ import annotations

import json

import pytest

from pluginyard.errors import ConfigurationError
from pluginyard.settings import (
    TrustedRepositories,
    find_ignored,
    find_trusted,
    load_receiver_settings,
    load_trusted,
)

SECRET = "correct-horse-battery-staple"
NEXT = "another-horse-another-battery"


def load(text: str, **environment: str) -> TrustedRepositories:
    given = {"PLUGINYARD_GITHUB_SECRETS_FILE": "secrets.yaml", **environment}
    return trusted_by(given, text)


def trusted_by(environment: dict[str, str], text: str = "") -> TrustedRepositories:
    return load_trusted("github", "https://github.com", environment, lambda path: text.encode())


def secrets_of(repositories: TrustedRepositories, name: str) -> list[str]:
    found = find_trusted(repositories, name)
    return [secret.get_secret_value() for secret in found.secrets] if found else []


def test_a_line_of_the_file_is_a_repository_and_its_secret() -> None:
    found = load(f"Acme/Plugins: {SECRET}\n")
    assert secrets_of(found, "ACME/plugins") == [SECRET]
    assert found["acme/plugins"].clone_url_of("Acme/Plugins") == "https://github.com/Acme/Plugins.git"
    assert secrets_of(found, "acme/other") == []


def test_a_secret_is_changed_by_naming_both() -> None:
    assert secrets_of(load(f"acme/plugins: [{NEXT}, {SECRET}]"), "acme/plugins") == [NEXT, SECRET]
    assert secrets_of(load(f"acme/plugins: {{secrets: {SECRET}}}"), "acme/plugins") == [SECRET]


def test_the_file_may_be_json() -> None:
    text = json.dumps({"acme/plugins": {"secrets": [SECRET], "clone_url": "git@git.example.com:acme/plugins.git"}})
    assert load(text)["acme/plugins"].clone_url_of("acme/plugins") == "git@git.example.com:acme/plugins.git"


def test_the_nearest_entry_counts() -> None:
    found = load(f'acme/plugins: {SECRET}-1\nacme/*: {SECRET}-2\n"*": {SECRET}-3\n')
    names = ("acme/plugins", "acme/other", "acmee/plugins")
    assert [secrets_of(found, name) for name in names] == [[f"{SECRET}-1"], [f"{SECRET}-2"], [f"{SECRET}-3"]]


def test_an_own_server_is_cloned_from_by_its_address() -> None:
    found = load(f"acme/plugins: {SECRET}", PLUGINYARD_GITHUB_URL="https://github.example.com/")
    assert found["acme/plugins"].clone_url_of("acme/plugins") == "https://github.example.com/acme/plugins.git"


def test_a_few_repositories_with_one_secret_need_no_file() -> None:
    environment = {
        "PLUGINYARD_GITHUB_SECRET": f"{NEXT} {SECRET}",
        "PLUGINYARD_GITHUB_REPOSITORIES": "acme/plugins, acme/gateway",
    }
    found = trusted_by(environment)
    assert secrets_of(found, "acme/gateway") == [NEXT, SECRET]
    assert set(found) == {"acme/plugins", "acme/gateway"}


WRONG = {
    "nothing": "",
    "an empty mapping": "{}",
    "a secret that YAML takes for an alias": f"acme/plugins: *{SECRET}",
    "a list": f"- {SECRET}",
    "no repository": f"plugins: {SECRET}",
    "a path": f"../plugins: {SECRET}",
    "a pattern that is none": f"acme/plug*: {SECRET}",
    "no secret": "acme/plugins:",
    "an empty secret": 'acme/plugins: ""',
    "no secrets": "acme/plugins: []",
    "one of two secrets empty": f'acme/plugins: [{SECRET}, ""]',
    "a short secret": "acme/plugins: hunter2",
    "a number": "acme/plugins: 12345678901234567890",
    "the same repository twice": f"acme/plugins: {SECRET}\nAcme/Plugins: {NEXT}",
    "the same key twice": f"acme/plugins: {SECRET}\nacme/plugins: {NEXT}",
    "no secrets in the mapping": "acme/plugins: {clone_url: https://git.example.com/x.git}",
    "an unknown key": f"acme/plugins: {{secret: {SECRET}}}",
    "a password in the address": f"acme/plugins: {{secrets: {SECRET}, clone_url: 'https://me:{NEXT}@git.example.com/x'}}",
    "a token in the address": f"acme/plugins: {{secrets: {SECRET}, clone_url: 'https://{NEXT}@git.example.com/x'}}",
    "a password for ssh": f"acme/plugins: {{secrets: {SECRET}, clone_url: 'ssh://me:{NEXT}@git.example.com/x'}}",
    "no YAML": f"acme/plugins: '{SECRET}\n",
    "a tab": f"acme/plugins:\n\t{SECRET}: [",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_does_not_fit_is_refused_without_showing_a_secret(name: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(WRONG[name])
    told = f"{raised.value!s} {raised.value!r} {raised.value.__cause__!r}"
    assert "secrets.yaml" in told
    assert raised.value.remedy
    assert not [secret for secret in (SECRET, NEXT, "hunter2", "12345678901234567890") if secret in told]


def test_ssh_addresses_with_a_user_are_no_passwords() -> None:
    for address in ("ssh://git@git.example.com/x.git", "git@git.example.com:acme/x.git"):
        assert load(json.dumps({"acme/x": {"secrets": SECRET, "clone_url": address}}))


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PLUGINYARD_GITHUB_SECRET": SECRET},
        {"PLUGINYARD_GITHUB_REPOSITORIES": "acme/plugins"},
        {"PLUGINYARD_GITHUB_SECRET": " ", "PLUGINYARD_GITHUB_REPOSITORIES": "acme/plugins"},
    ],
)
def test_a_receiver_that_trusts_nobody_does_not_start(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no repository is trusted"):
        trusted_by(environment)


def test_no_secret_is_shown_with_the_repositories() -> None:
    environment = {"PLUGINYARD_GITHUB_SECRET": SECRET, "PLUGINYARD_GITHUB_REPOSITORIES": "acme/plugins"}
    found = trusted_by(environment)
    assert SECRET not in f"{found!r} {found} {[entry.model_dump_json() for entry in found.values()]}"


def test_settings_are_read_from_their_variables() -> None:
    environment = {
        "PLUGINYARD_RECEIVER_MAX_BYTES": "65536",
        "PLUGINYARD_RECEIVER_DEPLOYMENT": "publish-plugin/mine",
        "PLUGINYARD_RECEIVER_SECONDS": "",
    }
    settings = load_receiver_settings(environment)
    assert (settings.max_bytes, settings.deployment, settings.seconds) == (65536, "publish-plugin/mine", 8)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MAX_BYTES", "0"), ("SECONDS", "60"), ("SECONDS", "inf"), ("SECONDS", "many"), ("DEPLOYMENT", "on-tag")],
)
def test_a_setting_that_does_not_fit_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^PLUGINYARD_RECEIVER_{variable}: "):
        load_receiver_settings({f"PLUGINYARD_RECEIVER_{variable}": value})


def test_the_settings_of_limits_that_the_proxy_holds_are_ignored_by_name() -> None:
    gone = {"RATE": "5", "BURST": "many", "REQUEST_SECONDS": "10", "TRUST_PROXY": "192.0.2.7"}
    environment = {f"PLUGINYARD_RECEIVER_{name}": value for name, value in gone.items()}
    assert load_receiver_settings(environment) == load_receiver_settings({})
    assert find_ignored(environment) == list(environment)
    assert find_ignored({"PLUGINYARD_RECEIVER_RATE": "", "PLUGINYARD_RECEIVER_SECONDS": "8"}) == []
