"""What differs between registries is one table."""

from __future__ import annotations

import pytest

from pluginyard.errors import ConfigurationError
from pluginyard.oci import IMAGE_CONFIG, UNKNOWN_CONFIG, find_quirks
from pluginyard.settings import (
    RepositorySettings,
    choose_config_media_type,
    choose_registry_annotations,
    load_configuration,
    refuse_contradictions,
)


@pytest.mark.parametrize(
    ("hosts", "media_type"),
    [
        ([], UNKNOWN_CONFIG),
        (["127.0.0.1:5000", "[::1]:5000"], UNKNOWN_CONFIG),
        (["higress-registry.cn-hangzhou.cr.aliyuncs.com"], UNKNOWN_CONFIG),
        (["quay.io"], IMAGE_CONFIG),
        (["QUAY.IO:443", "registry.example.com"], IMAGE_CONFIG),
        (["not-quay.io"], UNKNOWN_CONFIG),
    ],
)
def test_all_registries_of_a_release_get_the_same_config(hosts: list[str], media_type: str) -> None:
    assert choose_config_media_type(hosts) == media_type


def settings(text: str) -> RepositorySettings:
    return load_configuration(text)


OWN = """
registry_settings:
  "*.example.com": {config_media_type: application/x}
  quay.io: {config_media_type: application/vnd.unknown.config.v1+json}
  "localhost:5000": {config_media_type: application/y, annotations: {team: gateways}}
  "local*": {annotations: {team: others}}
"""


@pytest.mark.parametrize(
    ("hosts", "media_type"),
    [
        (["registry.example.com"], "application/x"),
        (["Registry.example.com:8443"], "application/x"),
        (["registry.example.com", "elsewhere.com"], "application/x"),
        (["quay.io"], UNKNOWN_CONFIG),
        (["localhost:5000"], "application/y"),
        (["localhost:5001"], UNKNOWN_CONFIG),
        ([""], UNKNOWN_CONFIG),
    ],
)
def test_what_is_configured_for_a_registry_wins_over_the_table(hosts: list[str], media_type: str) -> None:
    assert choose_config_media_type(hosts, settings(OWN)) == media_type


def test_what_is_configured_for_all_stands_between_a_registry_s_own_and_the_table() -> None:
    known = settings(f"config_media_type: application/all\n{OWN}")
    assert choose_config_media_type(["quay.io"], known) == UNKNOWN_CONFIG
    assert choose_config_media_type(["elsewhere.com"], known) == "application/all"
    assert choose_config_media_type(["quay.io"], settings("config_media_type: application/all")) == "application/all"


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (["r.example.com", "localhost:5000"], "r.example.com: application/x, localhost:5000: application/y"),
        (["r.example.com", "quay.io"], f"r.example.com: application/x, quay.io: {UNKNOWN_CONFIG}"),
    ],
)
def test_registries_that_want_different_types_are_refused_with_their_names(hosts: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match="digests would differ") as caught:
        refuse_contradictions(hosts, settings(OWN))
    assert caught.value.subject == said


def test_a_registry_s_own_type_and_what_the_table_says_of_another_may_contradict() -> None:
    own = settings("registry_settings: {localhost: {config_media_type: application/x}}")
    with pytest.raises(ConfigurationError, match="digests would differ"):
        choose_config_media_type(["localhost", "quay.io"], own)


def test_docker_hub_answers_under_another_name() -> None:
    assert find_quirks("docker.io").api_host == "registry-1.docker.io"
    assert find_quirks("registry.example.com").api_host == ""


def test_annotations_that_registries_want_are_put_together() -> None:
    known = settings("registry_settings: {a: {annotations: {x: '1', z: '3'}}, b: {annotations: {y: '2', x: '1'}}}")
    assert choose_registry_annotations(["a:5000", "b", "c"], known) == {"x": "1", "y": "2", "z": "3"}
    assert choose_registry_annotations(["c"], known) == {}


def test_two_values_of_one_annotation_are_refused_with_the_registries_names() -> None:
    with pytest.raises(ConfigurationError, match="values of the annotation team") as caught:
        refuse_contradictions(["localhost:5000", "localhost:5001"], settings(OWN))
    assert caught.value.subject == "localhost:5000: gateways, localhost:5001: others"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("{annotations: {io.pluginyard.fingerprint: x}}", "is set by pluginyard"),
        ("{annotations: {org.opencontainers.image.version: x}}", "is set by pluginyard"),
        ("{annotations: {team: 5}}", "valid string"),
        ("{config_media_type: nonsense}", "pattern"),
        ("{config_type: a/b}", "unknown key registry_settings.quay.io.config_type"),
    ],
)
def test_settings_of_a_registry_that_cannot_be_are_refused(own: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings(f"registry_settings: {{quay.io: {own}}}")
