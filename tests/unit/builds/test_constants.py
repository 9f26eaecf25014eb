"""What is published today is what was published before: constants that no change of the code may move.

Where one of them moves, the next nightly run publishes every plugin anew.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from pluginyard.builds import load_builder, pack_module
from pluginyard.forms import PublishRequest
from pluginyard.oci import TITLE, Descriptor, digest_of
from pluginyard.releases import PluginBuild, choose_annotations, plan_build, render_manifest, resolve_request
from pluginyard.settings import choose_config_media_type, load_site
from pluginyard.sources import Source, SourceFile, SourceTree
from pluginyard.sources.tree import REGULAR
from tests.machine.source_trees import MemoryCommit

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "higress-plugins"
BUILDERS = {
    folder.name: load_builder(folder.name, {path.name: path.read_bytes() for path in folder.iterdir()})
    for folder in (ROOT / "builders").iterdir()
}
SOURCE = Source("https://example.com/plugins.git", "/nowhere", "0123456789abcdef" * 2 + "01234567", 1767225600)
# Five pieces, which compress to half.
MODULE = b"\0asm\x01\0\0\0" + b"".join(hashlib.sha256(b"%d" % each).hexdigest().encode() for each in range(20_000))
ARCHIVE = "sha256:773c1f22cc05d12919a9e9b77fea6a3c5f3977b75424727177af719942393b2f"
MANIFEST = "sha256:97db7955ec18fcfc5a5fdd52069e7a4ee6ef4fb2e46f9f9c682d4e485290f4e9"
FINGERPRINTS = {
    ("go", "request-block"): "sha256:de7e7247be9b72fd76f6df8ecaa8bb0d903a4913c923e5f4a508ee013e845278",
    ("go", "prompt-embed"): "sha256:a9f9907252a36f5c4be792f548d9b47c4d988c1813dd5bf130fe6b614e8abd3d",
    ("go", "shared-rules"): "sha256:830631529a49a744fe68c4e6e2810860e2493f35ad5f0fa7af43ec00bc6ada7c",
    ("rust", "header-guard"): "sha256:a5c3120fc754b1cfaad96191c856eacb017ceefeb36dd05f5cb8df5672adc0ef",
}


def pack() -> Descriptor:
    return pack_module(io.BytesIO(MODULE), len(MODULE), io.BytesIO())


def plan(language: str, name: str) -> PluginBuild:
    found = [path for path in EXAMPLES.rglob("*") if path.is_file() and "target" not in path.parts]
    contents = {path.relative_to(EXAMPLES).as_posix(): path.read_bytes() for path in found}
    files = (SourceFile(path, REGULAR, blob_of(content)) for path, content in contents.items())
    request = PublishRequest(plugin=name, language=language, registries=["r.example.com/plugins"])
    return plan_build(
        request,
        resolve_request(request),
        MemoryCommit(SOURCE, SourceTree(files), contents),
        site=load_site({}),
        builders=BUILDERS,
        choose_host=lambda _: "",
    )


def blob_of(content: bytes) -> str:
    """Return git's id of the content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_the_archive_of_a_module_is_what_it_was() -> None:
    assert pack().digest == ARCHIVE


@pytest.mark.parametrize(("language", "name"), FINGERPRINTS)
def test_the_fingerprint_of_an_example_is_what_it_was(language: str, name: str) -> None:
    assert plan(language, name).fingerprint == FINGERPRINTS[language, name]


def test_the_manifest_of_an_example_is_what_it_was() -> None:
    build = plan("go", "request-block")
    documents = [
        Descriptor(each.media_type, digest_of(content), len(content), {TITLE: each.title})
        for each in build.plugin.documents
        for content in [(EXAMPLES / each.file.path).read_bytes()]
    ]
    config_type = choose_config_media_type(["r.example.com"], build.settings)
    assert render_manifest([*documents, pack()], choose_annotations(build), config_type).digest == MANIFEST
