"""An OCI image layout folder that somebody else, or a disk, has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pluginyard.errors import RegistryError
from pluginyard.oci import REF_NAME, Destination
from tasks.doors.registries import ArtifactRepository, copy_artifact, open_repository, push_version
from tests.machine.artifacts import FAST, SampleArtifact, make_artifact


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return tmp_path / "layout"


def open_layout(layout: Path) -> ArtifactRepository:
    return open_repository(Destination("", str(layout)), "a", FAST, None)


def published(layout: Path) -> SampleArtifact:
    artifact = make_artifact("a")
    push_version(open_layout(layout), artifact.manifest, artifact.blobs, "1.0.0")
    return artifact


def stored(layout: Path, artifact: SampleArtifact) -> Path:
    return layout / "blobs" / "sha256" / artifact.archive.digest.removeprefix("sha256:")


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.parametrize("index", [b"[" * 100_000, b"5", b"[]", b'{"manifests": 5}', b'{"manifests": [[]]}', b"\xff"])
def test_an_index_of_another_shape_is_an_error_of_ours(layout: Path, index: bytes) -> None:
    published(layout)
    (layout / "index.json").write_bytes(index)
    with pytest.raises(RegistryError, match=r"index\.json is damaged"):
        open_layout(layout).find_manifest("1.0.0")


def test_a_name_that_is_no_text_names_nothing(layout: Path) -> None:
    artifact = published(layout)
    index = json.loads((layout / "index.json").read_bytes())
    foreign = {**index["manifests"][0], "annotations": {REF_NAME: 5}}
    (layout / "index.json").write_text(json.dumps({**index, "manifests": [foreign, *index["manifests"]]}))
    assert open_layout(layout).list_tags() == ("1.0.0",)
    assert open_layout(layout).find_manifest("1.0.0") == artifact.manifest


@pytest.mark.parametrize("harm", [damage, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_blob_that_was_damaged_is_mended_when_it_is_pushed_again(layout: Path, harm: Callable[[Path], None]) -> None:
    artifact = published(layout)
    repository, path = open_layout(layout), stored(layout, artifact)
    assert repository.is_intact(artifact.manifest)
    harm(path)
    assert not repository.is_intact(artifact.manifest)
    assert repository.push_blob(artifact.archive, artifact.blobs[artifact.archive.digest]) == "uploaded"
    assert path.read_bytes() == artifact.contents[artifact.archive.digest]
    assert repository.push_blob(artifact.archive, lambda: pytest.fail("written again")) == "present"


def test_a_copy_mends_a_damaged_blob_too(layout: Path, tmp_path: Path) -> None:
    artifact = published(layout)
    published(tmp_path / "other")
    damage(stored(layout, artifact))
    copy_artifact(open_layout(tmp_path / "other"), open_layout(layout), artifact.manifest.digest, tag="1.0.0")
    assert open_layout(layout).is_intact(artifact.manifest)
