from __future__ import annotations

import pytest

from pluginyard.errors import ConfigurationError, RequestError
from pluginyard.forms import PublishRequest
from pluginyard.settings import check_site_variable, choose_repository, load_site

VARIABLE = {
    "repository": "https://example.com/plugins.git",
    "registries": ["one.example.com/p"],
    "base_images": {"go": "mirror/golang", "*": "mirror/debian"},
    "fetch_environment": {"GOPROXY": "https://mirror.example.com"},
    "limits": {"builder-go": 2},
    "memory": 4096,
}


def test_the_variable_is_over_the_defaults_and_under_the_environment() -> None:
    below = check_site_variable(VARIABLE)
    alone = load_site({}, below)
    assert (alone.repository, alone.registries, alone.memory) == (
        "https://example.com/plugins.git",
        ("one.example.com/p",),
        4096,
    )
    assert alone.seconds == load_site({}).seconds
    over = load_site({"PLUGINYARD_REGISTRIES": "two.example.com/p", "PLUGINYARD_BUILD_MEMORY": "512"}, below)
    assert (over.registries, over.memory, over.repository) == (("two.example.com/p",), 512, alone.repository)


def test_mappings_are_overlaid_key_by_key() -> None:
    site = load_site(
        {"PLUGINYARD_BASE_IMAGE_GO": "own", "GOSUMDB": "off", "PLUGINYARD_LIMITS": "registry-r:5000=3"},
        check_site_variable(VARIABLE),
    )
    assert site.base_images == {"go": "own", "*": "mirror/debian"}
    assert site.fetch_environment == {"GOPROXY": "https://mirror.example.com", "GOSUMDB": "off"}
    assert site.limits == {"builder-go": 2, "registry-r:5000": 3}


def test_authorities_of_the_variable_are_over_those_of_the_system() -> None:
    system = {"SSL_CERT_FILE": "/etc/system.pem"}
    assert load_site(system, {"ca_bundle": "/srv/own.pem"}).ca_bundle == "/srv/own.pem"
    assert load_site(system).ca_bundle == "/etc/system.pem"
    assert load_site({**system, "PLUGINYARD_CA_BUNDLE": "/a.pem"}, {"ca_bundle": "/b.pem"}).ca_bundle == "/a.pem"


@pytest.mark.parametrize(
    "document",
    [
        {"fetch_environment": {"GOPROXY": "https://me:s3cret@mirror.example.com"}},
        {"repository": "https://s3cret@github.com/acme/plugins.git"},
        {"registries": ["oci:/x", "https://me:s3cret@registry.example.com/p"]},
        {"fetch_environment": {"CARGO_REGISTRIES_INNER_TOKEN": "s3cret"}},
        {"password": "s3cret"},
        ["s3cret"],
    ],
)
def test_the_variable_holds_no_secret_and_the_refusal_none_either(document: object) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_site_variable(document)
    assert "s3cret" not in str(refused.value)


def test_an_ssh_address_holds_no_password() -> None:
    for address in ("git@github.com:acme/plugins.git", "ssh://git@github.com/acme/plugins.git"):
        assert check_site_variable({"repository": address}) == {"repository": address}


def test_a_misspelt_setting_is_told_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match="did you mean registries"):
        check_site_variable({"registrys": ["r.example.com/p"]})


@pytest.mark.parametrize("limits", ["builder-go", "builder-go=0", "builder-go=many", "gobuilder=2", "builder-a/b=1"])
def test_a_limit_is_of_a_builder_or_a_registry_and_at_least_one(limits: str) -> None:
    with pytest.raises(ConfigurationError, match="PLUGINYARD_LIMITS"):
        load_site({"PLUGINYARD_LIMITS": limits})


def test_a_run_builds_from_the_repository_it_names_else_from_the_sites() -> None:
    site = load_site({"PLUGINYARD_REPOSITORY": "https://example.com/plugins.git"})
    assert choose_repository("", site) == "https://example.com/plugins.git"
    assert choose_repository("/here", site) == "/here"
    assert PublishRequest(tag="t").at("/here") == PublishRequest(tag="t", repository="/here")
    with pytest.raises(RequestError, match="no repository is named"):
        choose_repository("", load_site({}))
