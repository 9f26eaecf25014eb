"""The verdict depends on how the artifact is named: all ways of naming, and all kinds of manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from pluginyard import oci
from pluginyard.errors import VerdictError
from pluginyard.gateways import HOSTS, Verdict
from pluginyard.gateways.judge import judge_artifact, judge_naming
from pluginyard.oci import Descriptor, StoredManifest, parse_reference
from tests.machine.artifact_builder import Image, Layer, archive_of, documents, good_image
from tests.machine.wasm_builder import plugin

AMD64, ARM64 = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}
OCI_IMAGE = good_image()
DOCKER_IMAGE = Image(
    [*documents(), Layer(oci.DOCKER_ARCHIVE_LAYER, archive_of(plugin()), "plugin.tar.gz")], oci.DOCKER_MANIFEST
)


def index_of(*children: tuple[StoredManifest, dict[str, str] | None], kind: str = oci.INDEX) -> StoredManifest:
    entries = [
        {"mediaType": child.media_type, "digest": child.digest, "size": len(child.content)}
        | ({"platform": platform} if platform else {})
        for child, platform in children
    ]
    return StoredManifest(json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode(), kind)


@dataclass(frozen=True)
class Kind:
    """A manifest that a reference leads to, and the image that gateways take from it."""

    manifest: StoredManifest
    image: Image

    def judge(self, **options: Any) -> Verdict:
        stored = {each.digest: each for each in (INNER, OCI_IMAGE.manifest, DOCKER_IMAGE.manifest)}

        def resolve(child: Descriptor) -> StoredManifest:
            return stored[child.digest]

        opened = self.image.open_blob
        return judge_artifact(manifest=self.manifest, open_blob=opened, resolve_child=resolve, **options)


OTHER = Image([]).manifest
INNER = index_of((OCI_IMAGE.manifest, AMD64))
IMAGES = {
    "an OCI image": Kind(OCI_IMAGE.manifest, OCI_IMAGE),
    "a docker image": Kind(DOCKER_IMAGE.manifest, DOCKER_IMAGE),
}
INDEXES = {
    "an index": Kind(index_of((OTHER, ARM64), (OCI_IMAGE.manifest, AMD64)), OCI_IMAGE),
    "an index without platforms": Kind(index_of((OCI_IMAGE.manifest, None)), OCI_IMAGE),
    "a docker list": Kind(index_of((DOCKER_IMAGE.manifest, AMD64), kind=oci.DOCKER_MANIFEST_LIST), DOCKER_IMAGE),
    "an index within an index": Kind(index_of((INNER, AMD64)), OCI_IMAGE),
}
KINDS = IMAGES | INDEXES
BY_TAG = {
    "by tag": "r.example.com/p/x:1.0.0",
    "by no tag": "r.example.com/p/x",
    "by latest": "r.example.com/x:latest",
}
BY_DIGEST = {"by digest": "r.example.com/p/x@{}", "by tag and digest": "r.example.com/p/x:1.0.0@{}"}
IN_FOLDER = {"by a folder's tag": "oci:/srv/layout:x-1.0.0", "by a folder's digest": "oci:/srv/layout@{}"}
PULLING = [name for name, host in HOSTS.items() if host.pulls_images]


def named(kind: Kind, text: str) -> Verdict:
    return judge_naming(kind.judge(), parse_reference(text.format(kind.manifest.digest)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("naming", BY_TAG)
def test_a_tag_leads_every_gateway_to_the_image(kind: str, naming: str) -> None:
    verdict = named(KINDS[kind], BY_TAG[naming])
    assert verdict.portability == "portable"
    assert verdict.url == f"oci://{parse_reference(BY_TAG[naming])}"
    assert verdict.to_json()["sha256"] == KINDS[kind].image.manifest.digest.removeprefix("sha256:")


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("naming", BY_DIGEST)
def test_the_digest_of_an_image_is_what_gateways_compare(kind: str, naming: str) -> None:
    verdict = named(KINDS[kind], BY_DIGEST[naming])
    assert verdict.portability == "portable"
    assert verdict.url == f"oci://r.example.com/p/x@{KINDS[kind].image.manifest.digest}"


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("naming", BY_DIGEST)
def test_the_digest_of_an_index_is_not_that_of_the_image_so_gateways_that_pull_refuse(kind: str, naming: str) -> None:
    asked, image = KINDS[kind].manifest.digest, KINDS[kind].image.manifest.digest
    verdict = named(KINDS[kind], BY_DIGEST[naming])
    address = f"oci://r.example.com/p/x@{asked}"
    found, wanted = image.removeprefix("sha256:"), asked.removeprefix("sha256:")
    reason = f"module downloaded from {address} has checksum {found}, which does not match: {wanted}"
    assert {gate.gateway: gate.reason for gate in verdict.gateways if not gate.loads} == dict.fromkeys(PULLING, reason)
    assert verdict.loads("envoy"), "it is handed the file"
    assert verdict.summary.startswith("loads on Envoy, not on Higress, Istio, Envoy Gateway")
    assert verdict.url == f"oci://r.example.com/p/x@{image}"
    assert verdict.to_json()["sha256"] == found
    with pytest.raises(VerdictError, match="T3") as refusal:
        verdict.require(["higress"])
    assert verdict.url in refusal.value.remedy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("naming", IN_FOLDER)
def test_no_gateway_pulls_from_a_folder_so_what_is_in_it_counts(kind: str, naming: str) -> None:
    verdict = named(KINDS[kind], IN_FOLDER[naming])
    assert (verdict.portability, verdict.url) == ("portable", "")


@pytest.mark.parametrize("naming", BY_TAG | BY_DIGEST | IN_FOLDER)
def test_what_leads_to_no_image_is_refused_however_it_is_named(naming: str) -> None:
    verdict = named(Kind(index_of((OTHER, ARM64)), OCI_IMAGE), (BY_TAG | BY_DIGEST | IN_FOLDER)[naming])
    assert {gate.rule for gate in verdict.gateways} == {"M1"}
    assert verdict.url == ""


def test_what_is_wrong_with_the_image_is_found_beside_what_is_wrong_with_its_name() -> None:
    kind = Kind(index_of((Image([]).manifest, AMD64)), Image([]))
    verdict = judge_artifact(
        manifest=kind.manifest, open_blob=Image([]).open_blob, resolve_child=lambda _: Image([]).manifest
    )
    renamed = judge_naming(verdict, parse_reference(f"r.example.com/p/x@{kind.manifest.digest}"))
    assert {(each.rule, each.level) for each in renamed.findings if each.level == "E"} == {("M2", "E"), ("T3", "E")}
    assert {gate.rule for gate in renamed.gateways} == {"M2", "T3"}
