"""No password becomes a parameter, a setting or an annotation."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pluginyard.errors import ConfigurationError
from pluginyard.forms import PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest
from pluginyard.settings import check_site_variable, load_configuration, load_site

SECRET = "tok3n"
HOLDING = [
    f"https://robot:{SECRET}@example.com/acme/plugins.git",
    f"https://{SECRET}@example.com/acme/plugins.git",
    f"http://{SECRET}@example.com/p",
    f"ssh://git:{SECRET}@example.com/p.git",
]
FREE = [
    "",
    "https://example.com/acme/plugins.git",
    "https://example.com/acme/plugins@2.git",
    "ssh://git@example.com/acme/plugins.git",
    "git@example.com:acme/plugins.git",
    "/home/me@work/plugins",
]
FORMS = (PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest)


def fields_of(form: type[BaseModel], address: str = "", registry: str = "r.example.com/p") -> dict[str, Any]:
    own = {"repositories": [address]} if form is WatchRequest else {"repository": address}
    return own | {"registries": [registry]} | ({"tag": "wasm-go-a-v1.0.0"} if form is PublishRequest else {})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("address", HOLDING)
def test_every_form_refuses_an_address_with_a_password_and_repeats_nothing_of_it(
    form: type[BaseModel], address: str
) -> None:
    with pytest.raises(ValidationError, match="give the workers' git a credential helper") as refusal:
        form.model_validate(fields_of(form, address))
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_refuses_a_registry_with_a_password_and_repeats_nothing_of_it(form: type[BaseModel]) -> None:
    for place in ("r.example.com/p", "https://r.example.com/p", "oci://r.example.com/p"):
        scheme, _, host = place.rpartition("//")
        registry = f"{scheme}{'//' if scheme else ''}robot:{SECRET}@{host}"
        with pytest.raises(ValidationError, match="use a registry-credentials block") as refusal:
            form.model_validate(fields_of(form, registry=registry))
        assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("form", FORMS)
def test_addresses_without_one_are_taken(form: type[BaseModel]) -> None:
    for address in FREE:
        form.model_validate(fields_of(form, address))
    for registry in ("r.example.com:5000/p", "oci:/home/me@work/out", "localhost/p", "oci://r/p", "http://r:5000/p"):
        form.model_validate(fields_of(form, registry=registry))


@pytest.mark.parametrize("registry", ["r.example.com", "ftp://r.example.com/p", "/srv/out", "oci:", "oci:///out", ""])
def test_what_is_no_registry_and_no_folder_is_refused_by_forms_and_settings_alike(registry: str) -> None:
    for form in FORMS:
        with pytest.raises(ValidationError, match="oci:PATH"):
            form.model_validate(fields_of(form, registry=registry))
    with pytest.raises(ConfigurationError, match="oci:PATH"):
        load_configuration(f"registries: ['{registry}']")
    if registry:  # an empty variable is an unset one
        with pytest.raises(ConfigurationError, match="oci:PATH"):
            load_site({"PLUGINYARD_REGISTRIES": registry})


@pytest.mark.parametrize("form", FORMS)
def test_the_server_judges_an_address_by_the_pattern_of_the_form(form: type[BaseModel]) -> None:
    properties = form.model_json_schema()["properties"]
    of_address = properties["repositories"]["items"] if form is WatchRequest else properties["repository"]
    for address in HOLDING:
        assert not re.search(of_address["pattern"], address)
    for address in FREE:
        assert re.search(of_address["pattern"], address)
    of_registry = properties["registries"]["items"]["pattern"]
    for registry in ("r.example.com/p", "oci://r.example.com/p", "oci:/home/me@work/out"):
        assert re.search(of_registry, registry)
    assert not re.search(of_registry, f"oci://robot:{SECRET}@r.example.com/p")
    assert not re.search(of_registry, f"robot:{SECRET}@r.example.com/p")


def test_a_site_and_a_repository_whose_settings_hold_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"PLUGINYARD_REPOSITORY: .*credential helper") as refusal:
        load_site({"PLUGINYARD_REPOSITORY": HOLDING[0]})
    with pytest.raises(ConfigurationError, match=r"PLUGINYARD_REGISTRIES.*block") as registry:
        load_site({"PLUGINYARD_REGISTRIES": f"robot:{SECRET}@r.example.com/p"})
    with pytest.raises(ConfigurationError, match="pluginyard_site") as variable:
        check_site_variable({"repository": HOLDING[1]})
    with pytest.raises(ConfigurationError, match=r"pluginyard.yaml: source_url") as annotation:
        load_configuration(f"source_url: {HOLDING[0]}")
    assert SECRET not in f"{refusal.value} {registry.value} {variable.value} {annotation.value}"


@pytest.mark.parametrize(
    "registry", ["nonsense", "r.example.com", "ftp://r.example.com/p", "r.example.com/UPPER", "oci:"]
)
def test_what_is_no_destination_is_refused_where_it_is_read(registry: str) -> None:
    for form in FORMS:
        with pytest.raises(ValidationError, match="HOST/NAMESPACE|oci:PATH|try upper"):
            form.model_validate(fields_of(form, registry=registry))
    with pytest.raises(ConfigurationError, match=r"PLUGINYARD_REGISTRIES: registries"):
        load_site({"PLUGINYARD_REGISTRIES": registry})
    with pytest.raises(ConfigurationError, match=r"pluginyard_site: registries"):
        check_site_variable({"registries": [registry]})
    with pytest.raises(ConfigurationError, match=r"pluginyard.yaml: registries"):
        load_configuration(f"registries: ['{registry}']")
