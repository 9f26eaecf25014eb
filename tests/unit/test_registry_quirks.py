"""What differs between registries is one table."""

from __future__ import annotations

import pytest

from pluginyard import registry_quirks
from pluginyard.errors import ConfigurationError
from pluginyard.registry_quirks import (
    IMAGE_CONFIG,
    UNKNOWN_CONFIG,
    RegistryQuirks,
    choose_config_media_type,
    choose_registry_annotations,
    find_quirks,
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


def test_what_is_configured_wins_over_the_table() -> None:
    configured = {"*.example.com": "application/x", "quay.io": UNKNOWN_CONFIG}
    assert choose_config_media_type(["registry.example.com"], configured) == "application/x"
    assert choose_config_media_type(["quay.io"], configured) == UNKNOWN_CONFIG


def test_configured_types_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="digests would differ"):
        choose_config_media_type(["a", "b"], {"a": "application/x", "b": "application/y"})


def test_docker_hub_answers_under_another_name() -> None:
    assert find_quirks("docker.io").api_host == "registry-1.docker.io"
    assert find_quirks("registry.example.com").api_host == ""


def test_annotations_that_registries_want_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (RegistryQuirks("a", annotations={"x": "1"}), RegistryQuirks("*", annotations={"y": "2"}))
    monkeypatch.setattr(registry_quirks, "QUIRKS", rows)
    assert choose_registry_annotations(["a", "b"]) == {"x": "1", "y": "2"}
