"""What reads bytes that are not trusted, and the only errors that may come of it."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pluginyard import oci
from pluginyard.errors import ConfigurationError, RegistryError, RequestError, SourceError
from pluginyard.gateways.judge import judge_artifact, judge_naming
from pluginyard.gateways.judge.verdicts import judge_module
from pluginyard.oci import StoredManifest, annotations_of, layers_of, parse_destination, parse_reference, read_manifest
from pluginyard.oci.challenges import choose_challenge
from pluginyard.parsing import UnreadableYamlError, load_document, load_json
from pluginyard.printable import printable
from pluginyard.releases import parse_release_tag
from pluginyard.settings import load_configuration
from pluginyard.specs import check_spec, judge_documents
from pluginyard.versions import parse_semver
from tests.machine.artifact_builder import GOOD_SPEC, Image, archive_of, compat_image, good_image, tar_of
from tests.machine.wasm_builder import plugin

REFERENCE = parse_reference(f"r.example.com/p/x@sha256:{'0' * 64}")
_MODULE = plugin(imports=[("env", "proxy_log", "(iii)i")])
_SETTINGS = b"""plugins:
  a: {probe: {configuration: {x: 1}, exchanges: [{path: /x, headers: {a: b}, expect: {status: 403, contains: y}}]}}
  b: {inputs: [shared], builder: go}
registries: [r.example.com/p, "oci:out"]
registry_settings: {"*": {config_media_type: application/x, annotations: {a: b}}}
layout: {go: &go {folder: filters, builder: go}, rust: {<<: *go}}
"""


@dataclass(frozen=True)
class Target:
    """Name one reader, the errors it may raise, and inputs that it likes."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    allowed: tuple[type[Exception], ...] = ()
    runs: int = 600
    """How many a test lets it be tried."""

    def __call__(self, content: bytes) -> None:
        """Read `content`; raise what must not be raised."""
        try:
            self.read(content)
        except self.allowed:
            return


def _manifest(content: bytes) -> None:
    for media_type in (oci.MANIFEST, oci.INDEX, ""):
        stored = StoredManifest(content, media_type)
        verdict = judge_artifact(
            manifest=stored,
            open_blob=lambda _: io.BytesIO(content),
            resolve_child=lambda _: good_image().manifest,
            limit_bytes=1 << 20,
        )
        json.dumps(judge_naming(verdict, REFERENCE).to_json()).encode()


def _stored(content: bytes) -> None:
    stored = read_manifest(content, "", "x")
    annotations_of(stored)
    layers_of(stored, "x")


def _layer(content: bytes) -> None:
    compat_image(content).judge(limit_bytes=1 << 20)


def _texts(content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    for parse in (parse_destination, parse_reference, parse_release_tag, parse_semver):
        with suppress(RequestError):
            parse(text)


def _shown(content: bytes) -> None:
    text = printable(content.decode("utf-16-le", "surrogatepass") if len(content) % 2 == 0 else repr(content))
    assert "\n" not in text
    assert text.encode() == printable(text).encode()


TARGETS = {
    "yaml": Target(lambda content: load_document(content, 1 << 16), (GOOD_SPEC, _SETTINGS), (UnreadableYamlError,)),
    "json": Target(load_json, (b'{"a": [1, "\\ud83d\\ude00", null, 1.5e3]}',), (ValueError,)),
    "pluginyard.yaml": Target(
        lambda content: load_configuration(content.decode("utf-8", "replace")), (_SETTINGS,), (ConfigurationError,)
    ),
    "spec.yaml": Target(judge_documents, (GOOD_SPEC,)),
    "a spec to publish": Target(lambda content: check_spec(content, subject="x"), (GOOD_SPEC,), (SourceError,)),
    "manifest": Target(_manifest, (good_image().manifest.content, Image([]).manifest.content)),
    "stored manifest": Target(_stored, (good_image().manifest.content,), (RegistryError,)),
    "wasm": Target(lambda content: judge_module(io.BytesIO(content)), (_MODULE, plugin("0_2_100"))),
    "gzip": Target(_layer, (archive_of(_MODULE),), runs=200),
    "tar": Target(
        lambda content: _layer(gzip.compress(content, 0, mtime=0)),
        (tar_of(("plugin.wasm", _MODULE)), tar_of(("a/" * 60 + "plugin.wasm", b"\0asm\1\0\0\0"), ("x", b"y"))),
        runs=200,
    ),
    "names": Target(
        _texts,
        (b"registry.example.com:5000/a/b:1.0.0@sha256:" + b"a" * 64, b"wasm-go-a-v1.0.0-rc.1", b"oci:/a:b-1.0.0"),
    ),
    "challenge": Target(
        lambda content: choose_challenge(content.decode("latin-1")),
        (b'Basic realm="x", Bearer realm="https://r/token",service=r,scope="repository:a:pull"',),
    ),
    "printable": Target(_shown, ("a\x1b\u202e\ud800".encode("utf-16-le", "surrogatepass"),)),
}


def mutate(seed: bytes, chance: random.Random) -> bytes:
    """Return `seed` with a few bytes changed, cut out, doubled or put in."""
    content = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randrange(len(content) + 1), chance.choice((1, 1, 2, 4, 16, 64))
        kind = chance.randrange(5)
        if kind == 0:
            content[at : at + size] = chance.randbytes(size)
        elif kind == 1:
            del content[at : at + size]
        elif kind == 2:
            content[at:at] = content[at : at + size] * chance.choice((1, 2, 50))
        elif kind == 3:
            content[at:at] = chance.choice(
                (b"\0", b"\xff" * size, b"&a ", b"*a", b"<<: ", b"[" * size, b'"', b"\\ud800")
            )
        elif at < len(content):
            content[at] ^= 1 << chance.randrange(8)
    return bytes(content)
