"""An OCI image layout folder that somebody else, or a disk, has changed."""

from __future__ import annotations

import io
import json
import os
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
def test_a_blob_that_was_damaged_is_repaired_when_it_is_pushed_again(
    layout: Path, harm: Callable[[Path], None]
) -> None:
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


def as_link_to(target: str) -> Callable[[Path], None]:
    return lambda path: (path.unlink(), path.symlink_to(target))[0]


ODD = {
    "a link to a device that never ends": as_link_to("/dev/zero"),
    "a link to a file elsewhere": as_link_to("/etc/passwd"),
    "a link to nothing": as_link_to("nothing"),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path))[0],
    "a folder": lambda path: (path.unlink(), path.mkdir())[0],
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("where", ["index", "manifest", "archive"])
def test_what_is_no_regular_file_is_not_read(layout: Path, what: str, where: str) -> None:
    artifact = published(layout)
    digest = artifact.manifest.digest if where == "manifest" else artifact.archive.digest
    path = layout / "index.json" if where == "index" else layout / "blobs" / "sha256" / digest.removeprefix("sha256:")
    ODD[what](path)
    repository, target = open_layout(layout), io.BytesIO()
    with pytest.raises(RegistryError, match=r"cannot read"):
        repository.pull_blob(artifact.archive, target) if where == "archive" else repository.find_manifest("1.0.0")
    assert target.getvalue() == b""
    if where == "archive":
        assert not repository.has_blob(artifact.archive)


def test_an_index_of_any_length_is_not_read_into_memory(layout: Path) -> None:
    published(layout)
    with (layout / "index.json").open("wb") as index:
        index.truncate(1 << 40)
    with pytest.raises(RegistryError, match=r"index\.json is damaged"):
        open_layout(layout).list_tags()


@pytest.mark.parametrize("what", ["a link to a file elsewhere", "a pipe"])
def test_a_lock_that_leads_elsewhere_is_not_written_to(layout: Path, what: str, tmp_path: Path) -> None:
    published(layout)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    lock = layout / "ingest" / "lock"
    (as_link_to(str(elsewhere)) if "link" in what else ODD[what])(lock)
    other = make_artifact("b")
    with pytest.raises(RegistryError, match="cannot lock"):
        push_version(open_layout(layout), other.manifest, other.blobs, "2.0.0")
    assert elsewhere.read_text() == "kept"
