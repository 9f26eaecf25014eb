from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from pluginyard.errors import RegistryError, VerdictError
from pluginyard.gateways import Verdict
from pluginyard.gateways.judge import judge_artifact, judge_reference, judge_tags
from pluginyard.gateways.judge.verdicts import judge_documents, judge_module
from pluginyard.oci import ICON, README, SPEC, StoredManifest, digest_of
from pluginyard.oci import descriptors as oci
from pluginyard.rules import RULES, Finding
from tests.machine.artifact_builder import (
    GOOD_SPEC,
    PNG,
    Image,
    Layer,
    archive_layer,
    archive_of,
    compat_image,
    documents,
    good_image,
    tar_of,
)
from tests.machine.wasm_builder import plugin

GATEWAYS = ["higress", "istio", "envoy-gateway", "envoy"]
DOC = "application/vnd.module.wasm.doc.v1.{}+markdown"
REDIS = plugin("0_2_1", imports=[("env", "proxy_redis_init", "(iiiiiii)i")])


def rules_of(found: Verdict | tuple[Finding, ...]) -> set[str]:
    return {f.rule for f in (found.findings if isinstance(found, Verdict) else found)}


def test_nothing_is_said_against_a_good_artifact() -> None:
    verdict = good_image().judge(version="1.0.0", declared_version="1.0.0\n")
    assert verdict.findings == ()
    assert verdict.portability == "portable"
    assert verdict.variant == "compat"
    assert all(verdict.loads(gateway) for gateway in GATEWAYS)
    assert verdict.summary == "loads on every gateway as compat variant"


def archive(*entries: Any) -> Image:
    return compat_image(gzip.compress(tar_of(*entries)))


def with_layers(*layers: Layer) -> Image:
    return Image([*documents(), *layers])


def with_spec(old: bytes, new: bytes) -> Image:
    assert old in GOOD_SPEC
    return Image([Layer(SPEC, GOOD_SPEC.replace(old, new), "spec.yaml"), *documents()[1:], archive_layer()])


def lying_layer() -> Image:
    image = good_image()
    image.layers[1].content = b"# Another\n"  # type: ignore[index]
    image.layers[1].digest = digest_of(b"# It\n")  # type: ignore[index]
    return image


# Each rule has an artifact that breaks it and one that all but breaks it.
CASES: dict[str, tuple[Callable[[], Image], Callable[[], Image]]] = {
    "M2": (lambda: with_layers(Layer(oci.WASM_LAYER, plugin())), lambda: Image([Layer(oci.WASM_LAYER, plugin())] * 2)),
    "M3": (lambda: archive(("plugin.wasm2", plugin())), lambda: archive(("./a/b/plugin.wasm", plugin()))),
    "M4": (lambda: archive(("plugin.wasm", plugin()), ("README.md", b"x")), good_image),
    "M5": (lambda: compat_image(archive_of(b"\0asm\2\0\0\0")), lambda: compat_image(archive_of(b"\0asm\1\0\0\0"))),
    "M6": (lambda: good_image(plugin("")), lambda: good_image(plugin("0_1_0"))),
    "M7": (lambda: good_image(REDIS), good_image),
    "M8": (lambda: with_layers(Layer("application/x", b"x"), archive_layer()), lambda: with_layers(archive_layer())),
    "M9": (
        lambda: Image([archive_layer(), *documents()]),
        lambda: Image([*documents(), Layer(DOC.format("en"), b"x", "README_EN.md"), archive_layer()]),
    ),
    "M10": (lambda: Image([documents()[0], archive_layer()]), good_image),
    "M11": (
        lambda: with_layers(Layer(DOC.format("dev"), b"x", "README_dev.md"), archive_layer()),
        lambda: with_layers(Layer(DOC.format("ZH"), b"x", "README_zh.md"), archive_layer()),
    ),
    "M12": (lying_layer, good_image),
    "M13": (
        lambda: Image(good_image().layers, config="application/vnd.mine+json"),
        lambda: Image(good_image().layers, config="application/vnd.oci.empty.v1+json"),
    ),
    "M14": (
        lambda: Image(good_image().layers, annotations={oci.CREATED: "2024-07-08T04:00:00Z"}),
        lambda: Image(good_image().layers, annotations={oci.CREATED: "2024-07-08T04:00:00Z", oci.FINGERPRINT: "x"}),
    ),
    "M15": (
        lambda: Image([*documents()[:2], Layer(ICON, b"GIF89a", "icon.png"), archive_layer()]),
        lambda: Image([*documents()[:2], Layer(ICON, PNG[:8], "icon.png"), archive_layer()]),
    ),
    "S1": (
        lambda: with_spec(b"  title: Request Block\n", b""),
        lambda: with_spec(b"  priority: 320", b"  priority: 0"),
    ),
    "S2": (lambda: with_spec(b"version: 1.0.0\nspec", b"version: 1.0.1\nspec"), good_image),
    "S3": (lambda: with_spec(b"[/hello.html]", b"/hello.html"), lambda: with_spec(b"[/hello.html]", b"[]")),
    "S4": (
        lambda: with_spec(b"UNSPECIFIED_PHASE", b"LATER"),
        lambda: with_spec(b"UNSPECIFIED_PHASE", b"default"),
    ),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_is_broken_by_its_case_and_kept_by_the_near_miss(rule: str) -> None:
    broken, kept = CASES[rule]
    found = [f for f in broken().judge(version="1.0.0").findings if f.rule == rule]
    assert found
    assert found[0].level == RULES[rule].level
    assert found[0].message
    assert found[0].remedy
    assert rule not in rules_of(kept().judge(version="1.0.0"))


def test_every_rule_of_the_table_has_a_case() -> None:
    elsewhere = {"M1", "T1", "T2", "T3"}  # they are not about one image: below, and test_naming.py
    assert set(CASES) | elsewhere == set(RULES)


# The variants, in the order of decision


def test_a_docker_image_is_judged_by_its_last_layer() -> None:
    layer = Layer(oci.DOCKER_ARCHIVE_LAYER, archive_of(plugin()))
    verdict = Image([Layer(oci.DOCKER_ARCHIVE_LAYER, b"else"), layer], media_type=oci.DOCKER_MANIFEST).judge()
    assert verdict.variant == "docker"
    assert verdict.loads("istio")


def test_a_docker_image_is_tried_as_nothing_else() -> None:
    layers = [Layer(oci.WASM_CONFIG_LAYER, b"{}"), Layer(oci.WASM_LAYER, plugin())]
    assert Image(layers).judge().variant == "oci"
    verdict = Image(layers, media_type=oci.DOCKER_MANIFEST).judge()
    assert verdict.gateways[0].reason == (
        "could not extract Wasm file from the image as Docker container "
        f"invalid media type {oci.WASM_LAYER} (expect {oci.DOCKER_ARCHIVE_LAYER})"
    )
    assert verdict.variant is None


def test_no_layers_are_refused_in_the_gateways_words() -> None:
    said = Image([], media_type=oci.DOCKER_MANIFEST).judge().gateways[0].reason
    assert said.endswith("Docker container number of layers must be greater than zero")
    assert "number of layers must be 2 but got 0" in Image([]).judge().gateways[0].reason


def test_the_oci_variant_takes_the_wasm_layer_wherever_it_is() -> None:
    layers = [Layer(oci.WASM_LAYER, plugin()), Layer("text/plain", b"x")]
    for order in (layers, layers[::-1]):
        assert Image(order).judge().variant == "oci"


def test_the_oci_variant_follows_where_the_archive_of_compat_is_broken() -> None:
    image = Image([Layer(oci.WASM_LAYER, plugin()), archive_layer(content=b"no gzip at all")])
    assert image.judge().variant == "oci"
    assert image.judge().loads("higress")


def test_the_real_cause_stands_beside_the_combined_text_of_the_gateway() -> None:
    verdict = Image([archive_layer(), *documents()]).judge()
    istio, gateway = verdict.gateways[1], verdict.gateways[2]
    assert istio.reason == (
        "the given image is in invalid format as an OCI image: 2 errors occurred:\n"
        f"\t* could not parse as compat variant: invalid media type {ICON} (expect {oci.ARCHIVE_LAYER})\n"
        "\t* could not parse as oci variant: number of layers must be 2 but got 4\n\n"
    )
    assert gateway.reason.startswith("the given image is in invalid format as an OCI image: could not parse as compat")
    assert gateway.reason.endswith("\ncould not parse as oci variant: number of layers must be 2 but got 4")
    cause = verdict.findings[0]
    assert cause.rule == "M2"
    assert "icon.png" in cause.message
    assert "the archive is layer 1 of 4" in cause.message
    assert "last layer" in cause.remedy


def test_one_raw_wasm_layer_is_explained() -> None:
    verdict = Image([Layer(oci.WASM_LAYER, plugin())]).judge()
    assert verdict.portability == "unloadable"
    assert "one raw wasm layer" in verdict.findings[0].message


def test_an_uncompressed_or_zstd_layer_is_no_compat_variant() -> None:
    for kind in ("application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+zstd"):
        verdict = with_layers(Layer(kind, archive_of(plugin()))).judge()
        assert f"invalid media type {kind} (expect {oci.ARCHIVE_LAYER})" in verdict.gateways[0].reason


# The archive


@pytest.mark.parametrize(
    ("kind", "said"), [("directory", b"5"), ("symbolic link", b"2"), ("hard link", b"1"), ("pipe", b"6")]
)
def test_what_is_named_plugin_wasm_but_is_no_file_is_read_as_nothing(kind: str, said: bytes) -> None:
    verdict = archive(("plugin.wasm", b"", {"type": said, "linkname": "/etc/shadow"})).judge(reference="oci://r/p:1")
    assert verdict.gateways[1].reason == "fetched Wasm binary from oci://r/p:1 is invalid"
    assert verdict.gateways[1].rule == "M3"
    assert kind in verdict.findings[0].message


def test_a_sparse_plugin_is_refused() -> None:
    image = archive(("plugin.wasm", plugin(), {"pax_headers": {"GNU.sparse.major": "1"}}))
    assert "sparse" in image.judge().findings[0].message


def test_a_size_no_gateway_could_allocate_is_refused_before_it_is_read() -> None:
    for name in ("plugin.wasm", "other"):
        huge = tar_of((name, b""))
        member = bytearray(huge)
        member[124:136] = b"\x80" + (1 << 62).to_bytes(11, "big")
        member[148:156] = b" " * 8
        member[148:156] = b"%06o\0 " % sum(member[:512])
        verdict = compat_image(gzip.compress(bytes(member))).judge()
        assert verdict.findings[0].rule == "M3"
        assert "allocate" in verdict.findings[0].message


def test_the_limit_counts_decompressed_bytes_of_everything_before_the_module() -> None:
    image = archive(("big", bytes(100_000)), ("plugin.wasm", plugin()))
    assert image.judge(limit_bytes=200_000).loads("istio")
    refused = image.judge(limit_bytes=100_000)
    assert not refused.loads("istio")
    assert refused.gateways[1].rule == "M3"


def test_damage_after_the_module_is_a_warning_since_gateways_do_not_read_it() -> None:
    plain = tar_of(("plugin.wasm", plugin()))[:1024]
    verdict = compat_image(gzip.compress(plain + b"x" * 512)).judge()
    assert verdict.loads("istio")
    assert [f.rule for f in verdict.findings] == ["M4"]


def test_a_module_cut_inside_the_archive_is_the_archives_fault() -> None:
    plain = tar_of(("plugin.wasm", plugin() + bytes(2000)))[:700]
    verdict = compat_image(gzip.compress(plain)).judge()
    assert "failed to read plugin.wasm: unexpected EOF" in verdict.gateways[0].reason
    assert verdict.gateways[0].rule == "M3"


def test_an_empty_module_is_invalid() -> None:
    verdict = archive(("plugin.wasm", b"")).judge(reference="oci://r/p:1")
    assert verdict.gateways[0].reason == "fetched Wasm binary from oci://r/p:1 is invalid"
    assert verdict.gateways[0].rule == "M5"


# The manifest


def index_of(*children: dict[str, Any], kind: str = oci.INDEX) -> StoredManifest:
    return StoredManifest(json.dumps({"schemaVersion": 2, "manifests": list(children)}).encode(), kind)


def child(image: Image, **platform: str) -> dict[str, Any]:
    entry = {"mediaType": oci.MANIFEST, "digest": image.manifest.digest, "size": len(image.manifest.content)}
    return entry | ({"platform": platform} if platform else {})


@pytest.mark.parametrize("kind", [oci.INDEX, oci.DOCKER_MANIFEST_LIST])
def test_of_an_index_the_linux_amd64_child_is_judged_and_its_digest_counts(kind: str) -> None:
    image = good_image()
    index = index_of(
        child(Image([]), os="linux", architecture="arm64"), child(image, os="linux", architecture="amd64"), kind=kind
    )
    verdict = judge_artifact(manifest=index, open_blob=image.open_blob, resolve_child=lambda _: image.manifest)
    assert verdict.portability == "portable"
    assert verdict.digest == image.manifest.digest


def test_a_child_without_a_platform_counts_as_linux_amd64() -> None:
    image = good_image()
    verdict = judge_artifact(
        manifest=index_of(child(image)), open_blob=image.open_blob, resolve_child=lambda _: image.manifest
    )
    assert verdict.loads("istio")


BAD_MANIFESTS = {
    "an index without linux/amd64": index_of(child(Image([]), os="linux", architecture="arm64")),
    "an empty index": index_of(),
    "no JSON": StoredManifest(b"<html>", oci.MANIFEST),
    "no object": StoredManifest(b"[]", oci.MANIFEST),
    "a hundred thousand brackets": StoredManifest(b"[" * 100_000, oci.MANIFEST),
    "five megabytes": StoredManifest(b" " * (5 << 20), oci.MANIFEST),
    "schema 1": StoredManifest(b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+json"),
    "another type": StoredManifest(b'{"schemaVersion":2}', "application/vnd.cncf.helm.config"),
    "layers that are no list": StoredManifest(b'{"schemaVersion":2,"layers":{}}', oci.MANIFEST),
    "a layer that is no object": StoredManifest(b'{"schemaVersion":2,"layers":[1]}', oci.MANIFEST),
    "no config": StoredManifest(b'{"schemaVersion":2,"layers":[]}', oci.MANIFEST),
    "a digest that climbs": StoredManifest(
        b'{"schemaVersion":2,"layers":[],"config":{"digest":"sha256:../../etc","size":1}}', oci.MANIFEST
    ),
    "a negative size": StoredManifest(
        b'{"schemaVersion":2,"layers":[],"config":{"digest":"sha256:%s","size":-1}}' % (b"0" * 64), oci.MANIFEST
    ),
}


@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_what_is_no_image_manifest_breaks_rule_m1(case: str) -> None:
    verdict = judge_artifact(
        manifest=BAD_MANIFESTS[case], open_blob=Image([]).open_blob, resolve_child=lambda _: Image([]).manifest
    )
    assert [f.rule for f in verdict.findings] == ["M1"]
    assert {gate.rule for gate in verdict.gateways} == {"M1"}
    assert not any(gate.loads for gate in verdict.gateways)


def test_an_index_that_contains_itself_ends() -> None:
    index = index_of(child(good_image()))
    verdict = judge_artifact(manifest=index, open_blob=Image([]).open_blob, resolve_child=lambda _: index)
    assert "nested" in verdict.findings[0].message


# Portability


def test_a_module_of_the_higress_sdk_is_higress_only_by_its_abi() -> None:
    verdict = good_image(plugin("0_2_100")).judge()
    assert verdict.portability == "higress-only"
    assert [gate.loads for gate in verdict.gateways] == [True, False, False, False]
    assert verdict.gateways[1].reason == "Missing or unknown Proxy-Wasm ABI version"
    assert [f.rule for f in verdict.findings] == ["M7"]
    assert verdict.summary.startswith("loads on Higress only as compat variant")


def test_a_module_can_load_everywhere_but_on_higress() -> None:
    verdict = good_image(plugin(exports=[("proxy_on_redis_call_response", "()")])).judge()
    assert verdict.portability == "upstream-only"
    assert [(f.rule, f.level) for f in verdict.findings] == [("M6", "W")]


def test_a_bare_module_is_judged_right_after_compiling() -> None:
    assert judge_module(io.BytesIO(plugin())).portability == "portable"
    assert judge_module(io.BytesIO(b"\x7fELF" + bytes(60))).findings[0].rule == "M5"
    module = judge_module(io.BytesIO(plugin())).module
    assert module is not None
    assert (module.abi, module.size, module.digest) == ("0.2.1", len(plugin()), digest_of(plugin()))


# The verdict as a value


def test_a_required_gateway_that_refuses_raises_with_its_words_and_a_remedy() -> None:
    verdict = good_image(plugin("0_2_100")).judge()
    verdict.require(["higress"])
    with pytest.raises(VerdictError, match="Istio would not load it \\(M6\\): Missing or unknown") as caught:
        verdict.require(["higress", "istio"], subject="p:1")
    assert caught.value.exit_code == 6
    assert "0.2.0 or 0.2.1" in caught.value.remedy


def test_an_unloadable_artifact_raises_whatever_is_required() -> None:
    with pytest.raises(VerdictError, match="M2"):
        Image([]).judge().require([])


def test_the_verdict_is_plain_values() -> None:
    plain = good_image().judge().to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {
        "summary",
        "portability",
        "variant",
        "digest",
        "url",
        "sha256",
        "gateways",
        "findings",
        "module",
    }
    assert set(plain["gateways"][0]) == {"gateway", "loads", "variant", "reason", "rule"}


def test_the_gravest_finding_stands_first() -> None:
    verdict = Image([Layer(README, b"x"), Layer("application/x", b"")], config="application/y").judge()
    levels = [f.level for f in verdict.findings]
    assert levels == sorted(levels, key="EWI".index)
    assert levels[0] == "E"


def test_control_characters_of_an_artifact_never_reach_a_terminal() -> None:
    verdict = Image([*documents(), Layer("application/\x1b[2J", b"x")]).judge()
    assert "\x1b" not in "".join(f.message for f in verdict.findings)
    assert "\x1b" not in "".join(gate.reason for gate in verdict.gateways)


# Blobs


def test_each_layer_is_opened_once() -> None:
    image = good_image()
    image.judge()
    assert sorted(image.opened) == sorted({layer.stated_digest for layer in image.layers})


def test_layers_that_depart_from_their_descriptor_are_named() -> None:
    short, long = good_image(), good_image()
    short.layers[1].size = 999  # type: ignore[index]
    long.layers[1].size = 2  # type: ignore[index]
    for image, said in ((short, "announced are 999"), (long, "more than the 2 bytes")):
        (found,) = [f for f in image.judge().findings if f.rule == "M12"]
        assert "README.md" in found.message
        assert said in found.message


def test_urls_of_a_layers_own_are_a_warning() -> None:
    image = good_image()
    image.layers[0].urls = ["https://example.com/spec"]  # type: ignore[index]
    assert rules_of(image.judge()) == {"M12"}


def test_errors_of_the_registry_are_not_swallowed() -> None:
    def fail(_: object) -> Any:
        raise RegistryError("gone")

    with pytest.raises(RegistryError):
        judge_artifact(manifest=good_image().manifest, open_blob=fail)


def test_a_layer_of_300_megabytes_is_judged_in_a_few_megabytes_of_memory() -> None:
    class Zeros(io.RawIOBase):
        """A layer that is a gzip stream of nothing but zeros, made while it is read."""

        def __init__(self) -> None:
            self.left = 300 << 20
            self.buffer = gzip.compress(b"")[:10]

        def read(self, size: int = -1) -> bytes:
            block = (self.buffer + bytes(max(0, size - len(self.buffer))))[: min(size, self.left)]
            self.buffer = b""
            self.left -= len(block)
            return block

    manifest = Image([Layer(oci.ARCHIVE_LAYER, b"", digest="sha256:" + "0" * 64, size=300 << 20)]).manifest
    tracemalloc.start()
    verdict = judge_artifact(manifest=manifest, open_blob=lambda _: Zeros())  # type: ignore[arg-type,return-value]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not verdict.loads("istio")
    assert "M12" in rules_of(verdict)
    assert peak < 8 << 20


# Names and tags


def test_names_a_registry_refuses_break_rule_t1() -> None:
    assert judge_reference("plugins/request-block", "1.0.0-rc.1") == ()
    assert rules_of(judge_reference("Plugins/request-block", "1.0.0")) == {"T1"}
    assert rules_of(judge_reference("plugins/request-block", "1.0.0+build")) == {"T1"}
    assert rules_of(judge_reference("plugins/request-block", "")) == {"T1"}
    assert judge_reference("p", "a" * 128) == ()
    assert rules_of(judge_reference("p", "a" * 129)) == {"T1"}


def test_latest_must_be_the_versions_digest_where_it_should_point_there() -> None:
    assert judge_tags("sha256:a", "sha256:a", True) == ()
    assert judge_tags("sha256:a", "sha256:b", False) == ()
    assert rules_of(judge_tags("sha256:a", "sha256:b", True)) == {"T2"}
    assert "no latest" in judge_tags("sha256:a", "", True)[0].message


def test_documents_can_be_judged_on_their_own() -> None:
    assert judge_documents(GOOD_SPEC, version="1.0.0") == ()
