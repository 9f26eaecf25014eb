"""What oras-py 0.2.43 does wrong with artifacts like ours, one test a fault, and done right here.

Its faults with tokens, passwords, realms and hosts: test_registries_authentication. With retries, time limits,
digests, broken transfers: test_registries_faults. With memory: test_registries_memory.
"""

from __future__ import annotations

import gzip
import io
import socket
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

from pluginyard import oci
from pluginyard.oci import UNKNOWN_CONFIG, Descriptor, Destination, digest_of
from pluginyard.releases import render_manifest
from tasks.doors.registries import ArtifactRepository, copy_artifact, open_repository, push_blobs, push_version
from tests.machine.artifacts import FAST, Place, make_artifact, new_name, place_in
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry


def hostile_archive(elsewhere: Path) -> bytes:
    """Return a plugin.tar.gz that writes to `elsewhere` when it is extracted carelessly."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        link = tarfile.TarInfo("d")
        link.type, link.linkname = tarfile.SYMTYPE, str(elsewhere)
        archive.addfile(link)
        member = tarfile.TarInfo("d/planted")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"planted"))
    return gzip.compress(packed.getvalue(), mtime=0)


def publish(repository: ArtifactRepository, contents: dict[str, bytes]) -> tuple[Descriptor, ...]:
    """Publish one tar layer for each title, as 1.0.0."""
    layers = tuple(
        Descriptor(oci.ARCHIVE_LAYER, digest_of(text), len(text), {oci.TITLE: title})
        for title, text in contents.items()
    )
    blobs = {digest_of(text): (lambda text=text: io.BytesIO(text)) for text in (*contents.values(), b"{}")}
    push_version(repository, render_manifest(layers, {}, UNKNOWN_CONFIG), blobs, "1.0.0")
    return layers


def test_a_tar_layer_comes_back_packed_and_nothing_is_written_elsewhere(place: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    content = hostile_archive(elsewhere)
    name = new_name()
    (layer,) = publish(place.open(name), {"plugin.tar.gz": content})
    target = io.BytesIO()
    place.open(name).pull_blob(layer, target)
    assert target.getvalue() == content
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("title", ["../../evil", "/etc/evil", "a/../../evil"])
def test_a_title_is_never_a_path(place: Place, tmp_path: Path, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    name = new_name()
    (layer,) = publish(place.open(name), {title: b"evil"})
    place.open(name).pull_blob(layer, io.BytesIO())
    assert not list(tmp_path.rglob("evil*"))
    assert not Path("/etc/evil").exists()


def test_files_of_the_same_name_in_different_folders_stay_apart(place: Place) -> None:
    name = new_name()
    layers = publish(place.open(name), {"a/README.md": b"a", "b/README.md": b"b"})
    stored = place.open(name).find_manifest("1.0.0")
    assert stored is not None
    assert b'"a/README.md"' in stored.content
    assert b'"b/README.md"' in stored.content
    for layer, content in zip(layers, (b"a", b"b"), strict=True):
        target = io.BytesIO()
        place.open(name).pull_blob(layer, target)
        assert target.getvalue() == content


@pytest.mark.parametrize("kind", ["open", "basic", "token", "tls"])
def test_a_blob_that_another_repository_has_is_mounted(kind: str, request: pytest.FixtureRequest) -> None:
    place = place_in(request.getfixturevalue(f"{kind}_registry"))
    source, target = place.open(new_name()), place.open(new_name())
    artifact = make_artifact(source.name)
    push_version(source, artifact.manifest, artifact.blobs, "1.0.0")
    state = target.push_blob(artifact.archive, lambda: pytest.fail("uploaded"), mount_from=source.name)
    assert state == "mounted"
    assert target.has_blob(artifact.archive)


@pytest.mark.parametrize("kind", ["open", "basic", "token"])
def test_a_blob_that_cannot_be_mounted_is_uploaded(kind: str, request: pytest.FixtureRequest) -> None:
    place = place_in(request.getfixturevalue(f"{kind}_registry"))
    target, artifact = place.open(new_name()), make_artifact(new_name())
    archive = artifact.archive
    state = target.push_blob(archive, artifact.blobs[archive.digest], mount_from="team/nobody-has-this")
    assert state == "uploaded"


def test_a_copy_within_one_registry_moves_no_bytes(faulty_proxy: FaultyProxy) -> None:
    place = Place(Destination(faulty_proxy.host, "team/plugins"), FAST, None)
    source, target = place.open(new_name()), place.open(new_name())
    artifact = make_artifact(source.name)
    push_version(source, artifact.manifest, artifact.blobs, "1.0.0")
    before = faulty_proxy.count("GET", "/blobs/")
    copy_artifact(source, target, artifact.manifest.digest, tag="1.0.0")
    assert faulty_proxy.count("GET", "/blobs/") == before == 0
    assert target.find_manifest("1.0.0") == artifact.manifest


def test_blobs_are_pushed_side_by_side(faulty_proxy: FaultyProxy) -> None:
    repository = open_repository(Destination(faulty_proxy.host, "team/plugins"), new_name(), FAST, None)
    texts = [f"{repository.name} {number}".encode() for number in range(4)]
    descriptors = [Descriptor("text/plain", digest_of(text), len(text)) for text in texts]
    blobs = {digest_of(text): (lambda text=text: io.BytesIO(text)) for text in texts}
    faulty_proxy.fail(Fault("delay", method="PUT", seconds=0.5, times=4))
    started = time.monotonic()
    push_blobs(repository, descriptors, blobs)
    assert time.monotonic() - started < 1.5
    assert all(repository.has_blob(descriptor) for descriptor in descriptors)


def test_nothing_is_left_in_the_folder_for_temporary_files(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    name = new_name()
    artifact = make_artifact(name, size=100_000)
    push_version(place.open(name), artifact.manifest, artifact.blobs, "1.0.0")
    place.open(name).pull_blob(artifact.archive, io.BytesIO())
    bundle = open_repository(Destination("", str(tmp_path / "bundle")), name, FAST, None)
    copy_artifact(place.open(name), bundle, artifact.manifest.digest)
    assert list(folder.iterdir()) == []


def test_a_layout_folder_holds_nothing_unfinished_after_a_failure(tmp_path: Path) -> None:
    name = new_name()
    artifact = make_artifact(name)
    repository = open_repository(Destination("", str(tmp_path / "layout")), name, FAST, None)
    blobs = {**artifact.blobs, artifact.archive.digest: lambda: io.BytesIO(b"short")}
    with pytest.raises(Exception, match="is not sha256:"):
        push_version(repository, artifact.manifest, blobs, "1.0.0")
    ingest = tmp_path / "layout" / "ingest"
    assert [path.name for path in ingest.iterdir() if path.name != "lock"] == []


def test_a_login_writes_no_file_and_asks_no_container_engine(
    basic_registry: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "engine.sock"))
        engine.listen()
        engine.settimeout(0.1)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("DOCKER_CONFIG", str(home / ".docker"))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'engine.sock'}")
        place_in(basic_registry).open(new_name()).log_in()
        with pytest.raises(TimeoutError):
            engine.accept()
    assert [path for path in home.rglob("*") if path.is_file()] == []
