"""What is pulled is judged, whatever it is; and the command that shows it."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from pluginyard.errors import RegistryError
from pluginyard.oci import DOCKER_MANIFEST_LIST, INDEX, MANIFEST, Destination, StoredManifest, canonical_json, digest_of
from tasks.doors.registries import ArtifactRepository, open_repository, pull_artifact, push_version
from tests.machine.artifact_builder import good_image
from tests.machine.artifacts import FAST, make_artifact, new_name, place_in, through
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry

CONFIG = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:" + "4" * 64, "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "5" * 64, "size": 9}


def manifest(*layers: Any, media_type: str = MANIFEST, **fields: Any) -> StoredManifest:
    plain = {"schemaVersion": 2, "mediaType": media_type, "config": CONFIG, "layers": layers, **fields}
    return StoredManifest(canonical_json(plain), media_type)


@pytest.fixture
def layout(tmp_path: Path) -> ArtifactRepository:
    return open_repository(Destination("", str(tmp_path / "layout")), "x", FAST, None)


@pytest.mark.parametrize(
    "stored",
    [
        manifest({"mediaType": LAYER["mediaType"], "size": 9}),
        manifest({**LAYER, "digest": "sha512:" + "5" * 128}),
        manifest({**LAYER, "size": 1e9}),
        manifest({**LAYER, "size": -1}),
        manifest(5),
        manifest(layers=5),
        manifest(config=None),
        manifest(schemaVersion=1),
        manifest(media_type=INDEX, manifests=5),
        manifest(media_type=DOCKER_MANIFEST_LIST, manifests=[{"platform": {"os": "plan9"}, **LAYER}]),
    ],
)
def test_what_is_no_image_is_told_by_rule_m1_and_not_pulled(
    stored: StoredManifest, layout: ArtifactRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.push_manifest(stored, "1.0.0")
    pulled = pull_artifact(layout, "1.0.0", tmp_path / "pulled")
    assert {gate.rule for gate in pulled.verdict.gateways} == {"M1"}
    assert pulled.verdict.portability == "unloadable"
    assert main(["verify", f"oci:{tmp_path}/layout:x-1.0.0", "--output", "json"]) == 6
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert told["verdict"]["findings"][0]["rule"] == "M1"
    assert told["verdict"]["findings"][0]["remedy"]


def test_what_is_larger_than_any_plugin_is_not_pulled(faulty_proxy: FaultyProxy, tmp_path: Path) -> None:
    layers = [{**LAYER, "digest": f"sha256:{number:064}", "size": 300 << 20} for number in range(4)]
    faulty_proxy.fail(Fault("status", status=200, body=manifest(*layers).content))
    with pytest.raises(RegistryError, match=r"its blobs have 1,258,291,202 bytes") as caught:
        pull_artifact(through(faulty_proxy, new_name()), "1.0.0", tmp_path)
    assert "names a plugin" in caught.value.remedy
    assert faulty_proxy.count("GET", "/blobs/") == 0


def test_the_child_of_an_index_is_asked_for_once_and_its_layers_are_told(
    faulty_proxy: FaultyProxy, tmp_path: Path
) -> None:
    repository = through(faulty_proxy, new_name())
    artifact = make_artifact(repository.name)
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    child = {"mediaType": MANIFEST, "digest": artifact.manifest.digest, "size": len(artifact.manifest.content)}
    index = canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]})
    repository.push_manifest(StoredManifest(index, INDEX), "index")
    before = faulty_proxy.count("GET", artifact.manifest.digest)
    pulled = pull_artifact(repository, "index", tmp_path)
    assert pulled.layers == artifact.layers
    assert faulty_proxy.count("GET", artifact.manifest.digest) - before == 1


@pytest.fixture
def told(open_registry: RunningRegistry, capsys: pytest.CaptureFixture[str]) -> Any:
    """Give two versions, with `latest` at the older one, and what `verify` says of names, by tag."""
    repository = place_in(open_registry).open(new_name())
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        artifact = make_artifact(f"{repository.name} {version}", version=version)
        push_version(repository, artifact.manifest, artifact.blobs, version)

    def tell(tag: str, latest: str = "") -> list[tuple[str, str]]:
        if latest:
            standing = repository.find_manifest(latest)
            assert standing
            repository.push_manifest(standing, "latest")
        main(["verify", f"{open_registry.host}/{repository.name}:{tag}", "--plain-http", "--output", "json"])
        findings = json.loads(capsys.readouterr().out)["verdict"]["findings"]
        return [(found["rule"], found["message"]) for found in findings if found["rule"].startswith("T")]

    return tell


def test_a_latest_that_is_not_the_newest_stable_version_is_told_by_rule_t2(told: Any) -> None:
    assert told("1.1.0") == [], "where there is none, none is missed"
    assert [rule for rule, _ in told("1.1.0", latest="1.0.0")] == ["T2"]
    assert [rule for rule, _ in told("latest")] == ["T2"]
    assert told("1.0.0") == told("2.0.0-rc.1") == [], "it is not for them"
    assert told("1.1.0", latest="1.1.0") == told("latest") == []


def test_a_tag_of_a_folder_that_no_registry_would_take_is_told_by_rule_t1(
    layout: ArtifactRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = make_artifact("x")
    push_version(layout, artifact.manifest, artifact.blobs, "1.0.0+build")
    main(["verify", f"oci:{tmp_path}/layout:x-1.0.0+build", "--output", "json"])
    findings = json.loads(capsys.readouterr().out)["verdict"]["findings"]
    assert ("T1", "E") in {(found["rule"], found["level"]) for found in findings}


def test_a_registry_that_lists_no_tags_to_us_leaves_rule_t2_unchecked_and_says_so(
    faulty_proxy: FaultyProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = through(faulty_proxy, new_name())
    artifact = make_artifact(repository.name)
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    faulty_proxy.fail(Fault("status", path="tags/list", status=403, times=9))
    main(["verify", f"{faulty_proxy.host}/{repository.name}:1.0.0", "--plain-http", "--output", "json"])
    findings = json.loads(capsys.readouterr().out)["verdict"]["findings"]
    assert [(found["rule"], found["level"]) for found in findings if found["rule"] == "T2"] == [("T2", "I")]


@pytest.mark.parametrize("form", ["http://{}", "oci://{} --plain-http", "docker://{} --plain-http", "{} --plain-http"])
def test_an_address_that_a_report_prints_is_read_back_with_its_scheme(
    form: str, open_registry: RunningRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = place_in(open_registry).open(new_name())
    artifact = make_artifact(repository.name)
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    main(["inspect", *form.format(f"{open_registry.host}/{repository.name}:1.0.0").split(), "--output", "json"])
    assert json.loads(capsys.readouterr().out)["digest"] == artifact.manifest.digest


def test_an_address_with_https_is_never_spoken_to_in_the_clear(
    open_registry: RunningRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", f"https://{open_registry.host}/team/x:1.0.0", "--plain-http"]) == 8
    assert "does not speak HTTPS" in capsys.readouterr().err


def test_the_digest_of_an_index_is_refused_and_the_address_that_loads_is_shown(
    open_registry: RunningRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = place_in(open_registry).open(new_name())
    image = good_image()
    contents = {layer.stated_digest: layer.content for layer in image.layers} | {digest_of(b"{}"): b"{}"}
    blobs = {digest: partial(io.BytesIO, content) for digest, content in contents.items()}
    push_version(repository, image.manifest, blobs, "1.0.0")
    child = {"mediaType": MANIFEST, "digest": image.manifest.digest, "size": len(image.manifest.content)}
    index = StoredManifest(canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}), INDEX)
    repository.push_manifest(index, "2.0.0")
    place = f"{open_registry.host}/{repository.name}"
    assert main(["verify", f"{place}@{index.digest}", "--plain-http"]) == 6
    shown = capsys.readouterr().out
    assert f"load it as oci://{place}@{image.manifest.digest}\n" in shown
    assert f"which does not match: {index.digest.removeprefix('sha256:')}\n" in shown
    assert main(["verify", f"{place}:2.0.0", "--plain-http"]) == 0
    assert f"load it as oci://{place}:2.0.0\n" in capsys.readouterr().out
    assert main(["verify", f"{place}@{image.manifest.digest}", "--plain-http"]) == 0
