from __future__ import annotations

import time

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
        ("plugins: {a: {inputs: {}}}", "plugins.a.inputs: a list is expected here"),
        ("plugins: {a: 3}", "plugins.a: a mapping with builder, inputs, probe is expected here"),
        ("layout: [go]", "layout: a mapping is expected here"),
        ("layout: {go: {folder: x}}", "layout.go.builder: Field required"),
        ("plugins: {a: {probe: {exchanges: [{expect: {headres: {}}}]}}}", "did you mean headers"),
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


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "- " * 100_000, "a: " + "{a: " * 50_000])
def test_deep_nesting_is_an_error_and_not_the_end_of_the_process(text: str) -> None:
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        load_configuration(text)


def test_what_looks_like_a_date_is_a_text() -> None:
    assert load_configuration("source_url: 2026-13-45\n").source_url == "2026-13-45"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("tidy: true\nlatest: never\ntidy: false\n", "line 3: the key 'tidy' stands twice"),
        ("plugins: {a: {}, b: {}, a: {}}", "line 1: the key 'a' stands twice"),
        ("a: &a [x, x]\n<<: [" + "*a, " * 20 + "*a]", "unknown key a"),
        ('source_url: "\\ud800"', "half of a surrogate pair"),
        ('source_url: "\\UFFFFFFFF"', "not valid YAML"),
        ("# " + "x" * 300_000, "it is larger than"),
        ("".join(f"k{number}:\n" for number in range(30_000)), "too many values|unknown key k0"),
    ],
)
def test_a_file_that_readers_would_read_differently_or_never_end_is_refused(text: str, fault: str) -> None:
    begin = time.process_time()
    with pytest.raises(ConfigurationError, match=fault):
        load_configuration(text)
    assert time.process_time() - begin < 5


def test_merge_keys_that_multiply_each_other_are_refused_in_no_time() -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9))]
    begin = time.process_time()
    with pytest.raises(ConfigurationError, match="its aliases multiply it"):
        load_configuration("\n".join(lines))
    assert time.process_time() - begin < 5
