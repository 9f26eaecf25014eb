"""Clients that are not ours read what we publish, and we read what they publish."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pluginyard.oci import Destination
from tasks.doors.registries import Access, move_latest, open_repository, push_version
from tests.machine.artifacts import FAST, README, SampleArtifact, make_artifact, new_name, place_in
from tests.machine.registries import RunningRegistry


def run(*command: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=folder, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return tmp_path / "layout"


def publish_to_layout(layout: Path, name: str) -> SampleArtifact:
    artifact = make_artifact(name)
    repository = open_repository(Destination("", str(layout)), name, FAST, None)
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    move_latest(repository, artifact.manifest, "1.0.0")
    return artifact


def test_skopeo_reads_our_layout(skopeo_program: str, layout: Path) -> None:
    artifact, other = publish_to_layout(layout, "request-block"), publish_to_layout(layout, "request")
    for tag in ("request-block-1.0.0", "request-block-latest"):
        raw = run(skopeo_program, "inspect", "--raw", f"oci:{layout}:{tag}")
        assert raw.encode() == artifact.manifest.content
    assert run(skopeo_program, "inspect", "--raw", f"oci:{layout}:request-1.0.0").encode() == other.manifest.content


def test_skopeo_copies_our_layout_into_a_registry_with_the_same_digest(
    skopeo_program: str, layout: Path, open_registry: RunningRegistry
) -> None:
    name = new_name()
    artifact = publish_to_layout(layout, name)
    target = f"docker://{open_registry.host}/team/plugins/{name}:1.0.0"
    run(skopeo_program, "copy", "--dest-tls-verify=false", f"oci:{layout}:{name}-1.0.0", target)
    assert place_in(open_registry).open(name).find_manifest("1.0.0") == artifact.manifest


def test_skopeo_copies_from_our_registry_into_a_layout_that_we_read(
    skopeo_program: str, layout: Path, basic_registry: RunningRegistry
) -> None:
    name = new_name()
    artifact = make_artifact(name)
    push_version(place_in(basic_registry).open(name), artifact.manifest, artifact.blobs, "1.0.0")
    source = f"docker://{basic_registry.host}/team/plugins/{name}:1.0.0"
    secret = f"{basic_registry.username}:{basic_registry.password}"
    target = f"oci:{layout}:{name}-1.0.0"
    run(skopeo_program, "copy", "--src-tls-verify=false", "--src-creds", secret, source, target)
    copied = open_repository(Destination("", str(layout)), name, FAST, None)
    assert copied.find_manifest("1.0.0") == artifact.manifest
    assert copied.list_tags() == ("1.0.0",)
    assert copied.has_blob(artifact.archive)


def test_oras_pulls_the_layers_we_published_as_they_are(
    oras_program: str, tmp_path: Path, open_registry: RunningRegistry
) -> None:
    name = new_name()
    artifact = make_artifact(name)
    push_version(place_in(open_registry).open(name), artifact.manifest, artifact.blobs, "1.0.0")
    reference = f"{open_registry.host}/team/plugins/{name}:1.0.0"
    run(oras_program, "pull", "--plain-http", reference, "-o", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "plugin.tar.gz"]
    for layer in artifact.layers:
        assert (tmp_path / layer.title).read_bytes() == artifact.contents[layer.digest]


def test_oras_reads_our_layout(oras_program: str, tmp_path: Path, layout: Path) -> None:
    artifact = publish_to_layout(layout, "request-block")
    for end in (":request-block-1.0.0", f"@{artifact.manifest.digest}"):
        raw = run(oras_program, "manifest", "fetch", "--oci-layout", f"{layout}{end}")
        assert raw.encode() == artifact.manifest.content
    run(oras_program, "pull", "--oci-layout", f"{layout}:request-block-latest", "-o", tmp_path / "out")
    archive = (tmp_path / "out" / "plugin.tar.gz").read_bytes()
    assert archive == artifact.contents[artifact.archive.digest]


def test_we_read_what_oras_pushed(oras_program: str, tmp_path: Path, token_registry: RunningRegistry) -> None:
    name = new_name()
    (tmp_path / "README.md").write_text("# by oras\n")
    reference = f"{token_registry.host}/team/plugins/{name}:1.0.0"
    login = ["--username", token_registry.username, "--password", token_registry.password]
    run(oras_program, "push", "--plain-http", *login, reference, f"README.md:{README}", folder=tmp_path)
    repository = place_in(token_registry).open(name)
    stored = repository.find_manifest("1.0.0")
    assert stored is not None
    (layer,) = json.loads(stored.content)["layers"]
    assert (layer["mediaType"], layer["size"]) == (README, 10)
    assert repository.list_tags() == ("1.0.0",)


def test_a_tag_that_oras_adds_to_our_layout_is_ours_to_read(oras_program: str, layout: Path) -> None:
    artifact = publish_to_layout(layout, "request-block")
    run(oras_program, "tag", "--oci-layout", f"{layout}:request-block-1.0.0", "request-block-stable")
    repository = open_repository(Destination("", str(layout)), "request-block", Access(), None)
    assert repository.find_manifest("stable") == artifact.manifest
    assert set(repository.list_tags()) == {"1.0.0", "latest", "stable"}
