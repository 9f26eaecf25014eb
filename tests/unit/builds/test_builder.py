from __future__ import annotations

from pathlib import Path

import pytest

from pluginyard.builds import Builder, choose_builder, load_builder
from pluginyard.errors import ConfigurationError
from pluginyard.oci import digest_of

BUILDERS = Path(__file__).parents[3] / "builders"
SMALL = b"""
toolchain: {name: tiny, version: 1.0.0, version_command: [tiny, --version]}
manifest: tiny.toml
image: {base: "tiny:{version}"}
compile: {commands: [[tiny, build]], output: "{work}/out/plugin.wasm"}
"""


def shipped(name: str) -> Builder:
    folder = BUILDERS / name
    return load_builder(name, {each.name: each.read_bytes() for each in folder.iterdir()})


def small(text: bytes = SMALL) -> Builder:
    return load_builder("tiny", {"builder.yaml": text, "Dockerfile": b"FROM x"})


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigurationError) as raised:
        small(SMALL + b"enviroment: {}\n")
    assert "enviroment" in str(raised.value)
    assert "did you mean environment?" in raised.value.remedy
    assert raised.value.subject == "builders/tiny/builder.yaml"


def test_an_unknown_key_inside_a_section_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigurationError, match=r"compile\.command\b") as raised:
        small(SMALL.replace(b"commands:", b"command:"))
    assert "commands" in raised.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"manifest: tiny.toml", b"", "manifest"),
        (b"[tiny, --version]", b"tiny", "version_command"),
        (b"commands: [[tiny, build]]", b"commands: []", "commands"),
        (b"[tiny, --version]}", b"[tiny], version_pattern: '('}", "regular expression"),
        (b'image: {base: "tiny:{version}"}', b"", "no image"),
        (b"toolchain:", b"- toolchain:", "YAML"),
    ],
)
def test_a_fault_in_a_definition_is_told(old: bytes, new: bytes, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        small(SMALL.replace(old, new))
    assert told in str(raised.value)


def test_a_folder_without_a_definition_is_told() -> None:
    with pytest.raises(ConfigurationError, match="the file is missing"):
        load_builder("tiny", {"Dockerfile": b""})


def test_a_stage_that_the_dockerfile_has_not_is_told() -> None:
    text = SMALL.replace(b"image: {", b"image: {alone: small, ")
    dockerfile = b"from x as small\nRUN y\nFROM small\n"
    assert load_builder("tiny", {"builder.yaml": text, "Dockerfile": dockerfile}).definition.image.alone == "small"
    with pytest.raises(ConfigurationError, match=r"image\.alone: the Dockerfile has no stage small"):
        load_builder("tiny", {"builder.yaml": text, "Dockerfile": dockerfile.replace(b"as small", b"as smaller")})


@pytest.mark.parametrize("name", ["Go", "../go", "go_x", ""])
def test_a_builder_with_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        load_builder(name, {"builder.yaml": SMALL, "Dockerfile": b""})


def test_the_nearest_builder_is_named() -> None:
    with pytest.raises(ConfigurationError) as raised:
        choose_builder({"tinygo": small(), "rust": small()}, "tiny-go")
    assert "did you mean tinygo?" in raised.value.remedy


def test_any_changed_file_of_the_image_makes_another_builder() -> None:
    assert small().digest == small().digest
    changed = load_builder("tiny", {"builder.yaml": SMALL, "Dockerfile": b"FROM y"})
    more = load_builder("tiny", {"builder.yaml": SMALL, "Dockerfile": b"FROM x", "more.sh": b""})
    renamed = load_builder("tiny", {"builder.yaml": SMALL, "Dockerfile": b"FROM x", "other.sh": b""})
    assert len({small().digest, changed.digest, more.digest, renamed.digest}) == 4


def test_a_changed_file_whose_earlier_digest_is_named_is_another_image_and_the_same_identity() -> None:
    known = load_builder("tiny", {"builder.yaml": SMALL, "Dockerfile": b"FROM x", "fetch.sh": b"fetch"})
    named = SMALL + f"identity: {{fetch.sh: {digest_of(b'fetch')}}}\n".encode()
    changed = load_builder("tiny", {"builder.yaml": named, "Dockerfile": b"FROM x", "fetch.sh": b"fetch more"})
    assert known.identity == known.digest
    assert changed.identity == known.identity
    assert changed.digest != known.digest


def test_a_better_remedy_is_no_other_builder() -> None:
    told = SMALL + b"failures: [{pattern: x, message: x, remedy: y}]\n"
    assert small(told).digest == small().digest


@pytest.mark.parametrize("name", ["go", "rust", "tinygo"])
def test_a_dockerfile_defaults_to_what_its_definition_says(name: str) -> None:
    builder = shipped(name)
    declared = builder.definition.toolchain.version
    lines = builder.files["Dockerfile"].decode().splitlines()
    base = builder.definition.image.base.replace("{version}", declared)
    assert f"ARG BASE_IMAGE={base}" in lines
    assert f"ARG VERSION={declared}" in lines
    assert f'LABEL io.pluginyard.toolchain="{builder.definition.toolchain.name} ${{VERSION}}"' in lines


@pytest.mark.parametrize(
    ("name", "printed", "version"),
    [
        ("go", "go1.24.4\n", "1.24.4"),
        ("rust", "rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)", "1.85.1"),
        ("tinygo", "tinygo version 0.28.1 linux/amd64 (using go version go1.19 and LLVM version 15.0.0)", "0.28.1"),
        ("go", "sh: 1: go: not found", ""),
    ],
)
def test_the_version_is_read_from_what_a_toolchain_prints(name: str, printed: str, version: str) -> None:
    assert shipped(name).definition.toolchain.version_in(printed) == version


@pytest.mark.parametrize(
    ("name", "file", "content", "needed"),
    [
        ("go", "go.sum", b"", False),
        ("go", "go.sum", b"a.example/b v1.0.0 h1:x=\n", True),
        ("rust", "Cargo.lock", b'[[package]]\nname = "x"\n', False),
        ("rust", "Cargo.lock", b'[[package]]\nname = "x"\nsource = "registry+https://x"\n', True),
    ],
)
def test_there_is_something_to_fetch_where_the_lock_says_so(name: str, file: str, content: bytes, needed: bool) -> None:
    asked: list[str] = []
    assert shipped(name).needs_fetch(lambda path: asked.append(path) or content) is needed
    assert asked == [file]


def test_a_missing_lock_may_lie_above_the_plugin_so_dependencies_are_fetched() -> None:
    assert shipped("rust").needs_fetch(lambda _: None)


def test_without_go_sum_every_module_that_a_plugin_requires_lies_in_the_repository() -> None:
    assert not shipped("go").needs_fetch(lambda _: None)
