from __future__ import annotations

import pytest

from pluginyard.errors import ConfigurationError
from pluginyard.settings import load_configuration, load_site


def test_an_empty_file_is_higress_layout() -> None:
    settings = load_configuration("")
    assert settings.languages["rust"].folder_of("x") == "plugins/wasm-rust/extensions/x"
    assert settings.gateways == ("higress",)


def test_the_file_overlays_the_layout_by_language() -> None:
    settings = load_configuration("layout: {go: {folder: filters, builder: go}, zig: {folder: z, builder: zig}}")
    assert settings.languages["go"].folder == "filters"
    assert set(settings.languages) == {"go", "rust", "tinygo", "zig"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registrys: []", "did you mean registries"),
        ("layout: {go: {foldr: x, builder: go}}", "did you mean folder"),
        ("layout: {go: {folder: x, builder: go, folders: [{folder: y, beloww: z}]}}", "did you mean below"),
        ("layout: {go: {folder: x, builder: go, below: ../x}}", "layout.go.below: a repository is lower case"),
        ("layout: {go: {folder: x, builder: go, below: /x}}", "layout.go.below: a repository is lower case"),
        ("plugins: {a: {prob: {}}}", "did you mean probe"),
        ("gateways: [nginx]", "gateways.0"),
        ("- a", "not a mapping"),
        ("a: [", "not valid YAML"),
        ("engine: host", "unknown key engine"),
        ("allow_prebuild: true", "unknown key allow_prebuild"),
    ],
)
def test_a_bad_file_is_refused_with_the_key_and_a_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_configuration(text)


def test_the_names_of_the_old_workflow_still_work() -> None:
    site = load_site({"IMAGE_REGISTRY_SERVICE": "registry.example.com", "IMAGE_REPOSITORY": "wasm"})
    assert site.registries == ("registry.example.com/wasm",)
    assert load_site({"IMAGE_REGISTRY_SERVICE": "r.example.com"}).registries == ("r.example.com/plugins",)


def test_mirrors_and_proxies_are_handed_on_but_no_secret() -> None:
    site = load_site(
        {
            "GOPROXY": "https://mirror.example.com",
            "HTTPS_PROXY": "http://proxy:3128",
            "CARGO_REGISTRIES_INNER_INDEX": "sparse+https://x/",
            "CARGO_REGISTRIES_INNER_TOKEN": "s3cret",
            "REGISTRY_PASSWORD": "s3cret",
        }
    )
    assert set(site.fetch_environment) == {"GOPROXY", "HTTPS_PROXY", "CARGO_REGISTRIES_INNER_INDEX"}
    assert "s3cret" not in repr(site)


def test_images_are_set_by_builder() -> None:
    site = load_site({"PLUGINYARD_BASE_IMAGE_GO": "a", "PLUGINYARD_BASE_IMAGE": "b", "PLUGINYARD_IMAGE_RUST": "c"})
    assert site.base_images == {"*": "b", "go": "a"}
    assert site.images == {"rust": "c"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", False),
        ("false", False),
        ("0", False),
        ("true", True),
        ("1", True),
        ("Yes", True),
        ("localhost:5000", ("localhost:5000",)),
        (" localhost:5000, registry:5000,,[::1]:5000 ", ("localhost:5000", "registry:5000", "[::1]:5000")),
    ],
)
def test_plain_http_is_for_all_or_for_the_registries_that_are_named(text: str, read: object) -> None:
    assert load_site({"PLUGINYARD_PLAIN_HTTP": text}).plain_http == read
    assert load_site({}, {"plain_http": list(read) if isinstance(read, tuple) else read}).plain_http == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLUGINYARD_ENGINE", "podmn"),
        ("PLUGINYARD_BUILD_SECONDS", "soon"),
        ("PLUGINYARD_PLAIN_HTTP", "2"),
        ("PLUGINYARD_PLAIN_HTTP", "a b"),
    ],
)
def test_a_bad_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_site({name: value})


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, "- " * 200_000, "a: " + "{a: " * 100_000])
def test_deep_nesting_is_an_error_and_not_the_end_of_the_process(text: str) -> None:
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        load_configuration(text)


def test_a_date_that_is_none_is_told_as_a_fault_of_the_file() -> None:
    with pytest.raises(ConfigurationError, match="not valid YAML: month must be"):
        load_configuration("source_url: 2026-13-45\n")
