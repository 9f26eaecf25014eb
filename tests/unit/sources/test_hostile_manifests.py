"""Manifests and links of outsiders: bounded in size, depth and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from pluginyard.errors import SourceError
from pluginyard.sources import LINK, SourceFile, SourceTree, collect_context
from pluginyard.sources.cargo_manifest import parse_manifest
from pluginyard.sources.contexts import Context
from pluginyard.sources.tree import REGULAR
from tests.machine.source_trees import commit_of

KIB = 1024


def collect(files: dict[str, str], manifest: str = "Cargo.toml", links: tuple[str, ...] = ()) -> Context:
    commit = commit_of(files, links)
    return collect_context(commit.tree, "a", manifest, commit.read)


@contextmanager
def soon(seconds: float = 5) -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 402) + " = 1",
        "[" + ".".join(["a"] * 5000) + "]",
        '"."' * 1000 + " = 1",
        "x = {" + ".".join(["a"] * 5000) + " = 1}",
    ],
)
def test_a_key_of_many_parts_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="a line has more than 400 dots"):
        parse_manifest(text, "a/Cargo.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[" + ".".join(["a"] * 400) + "]\n" + "\n".join(f"k{number} = 1" for number in range(22_000)),
        "\n".join(f"k{number}." + ".".join(["a"] * 390) + " = 1" for number in range(320)),
        "\n".join(f"[k{number}." + ".".join(["a"] * 390) + "]" for number in range(320)),
        "x = [" + "[], " * 60_000 + "]",
        "x = [" + "[" * 100_000,
        "x = {a = " * 20_000,
        'x = """' + '"a' * 120_000,
        "x = " + "1_" * 100_000 + "1",
        "x = 1." + "1" * 250_000,
        "# " + "x" * 250_000,
        "[[x]]\n[x.y]\n" * 20_000,
    ],
    ids=range(11),
)
def test_the_largest_cargo_file_takes_seconds_at_most(text: str) -> None:
    assert len(text) <= 256 * KIB
    with soon(), suppress(SourceError):
        parse_manifest(text, "a/Cargo.toml")


@pytest.mark.parametrize("manifest", ["go.mod", "Cargo.toml"])
def test_a_manifest_above_the_limit_is_refused(manifest: str) -> None:
    with pytest.raises(SourceError, match=f"a/{manifest}: the file has more than 262,144 bytes"):
        collect({f"a/{manifest}": "#" * (256 * KIB + 1)}, manifest)


def test_manifests_above_the_limit_together_are_refused() -> None:
    padding = "# " + "x" * 200 * KIB
    files = {
        f"p{number}/Cargo.toml": f"[dependencies]\nx = {{path = '../p{number + 1}'}}\n{padding}" for number in range(30)
    }
    files["a/Cargo.toml"] = "[dependencies]\nx = {path = '../p0'}\n"
    with pytest.raises(SourceError, match="the manifests up to this one have more than 4,194,304 bytes"):
        collect(files)


def test_thousands_of_members_and_exclusions_are_compared_soon() -> None:
    listed = ", ".join(f"'m{number}'" for number in range(10_000))
    files = {"Cargo.toml": f"[workspace]\nmembers = [{listed}]\nexclude = [{listed}]\n", "a/Cargo.toml": ""}
    with soon():
        collect(files | {f"m{number}/Cargo.toml": "" for number in range(10_000)})


@pytest.mark.parametrize("pattern", ["*a" * 20, "x*"])
def test_a_workspace_that_names_its_members_too_loosely_is_refused(pattern: str) -> None:
    members = ", ".join(f"'{pattern}{number}'" for number in range(100))
    files = {"Cargo.toml": f"[workspace]\nmembers = [{members}]\n", "a/Cargo.toml": ""}
    with soon(), pytest.raises(SourceError, match="names its members too loosely"):
        collect(files | {f"{number}/Cargo.toml": "" for number in range(2000)})


def test_thousands_of_links_to_the_top_are_followed_once() -> None:
    files = {"a/go.mod": "module a\n"} | {f"files/{number}": "" for number in range(5000)}
    links = {f"a/link-{number}": ".." for number in range(5000)}
    with soon():
        found = collect({**files, **links}, "go.mod", tuple(links))
    assert len(found.files) == 10_001


def test_links_that_lead_to_ever_larger_folders_are_refused() -> None:
    depth = 300
    folder = "b/" + "/".join(["d"] * depth)
    texts = {"a/go.mod": "module a\n", "a/link": f"../{folder}"}
    texts |= {f"{folder}/f{number}": "" for number in range(4000)}
    links = {"a/link"} | {f"b/{'d/' * level}up" for level in range(1, depth + 1)}
    texts |= {path: ".." for path in links if path != "a/link"}
    tree = SourceTree(SourceFile(path, LINK if path in links else REGULAR, path) for path in texts)
    with soon(), pytest.raises(SourceError, match="its links lead to ever more folders"):
        collect_context(tree, "a", "go.mod", lambda file: texts[file.path].encode())


def test_packages_in_packages_are_listed_soon() -> None:
    files = {f"{'p/' * depth}go.mod": "module p\n" for depth in range(500)}
    files |= {f"{'p/' * 499}f{number}": "" for number in range(5000)}
    replaced = "\n".join(f"replace x{depth} => ../{'p/' * depth}" for depth in range(1, 500))
    with soon():
        found = collect(files | {"a/go.mod": f"module a\n{replaced}\n"}, "go.mod")
    assert len(found.files) == 1 + 499 + 5000
