"""One interface: what holds for an open registry holds for passwords, tokens, TLS and a layout folder."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pluginyard.errors import RegistryError, VersionTakenError
from pluginyard.oci import INDEX, Descriptor, StoredManifest, canonical_json, digest_of
from tasks.doors.registries import copy_artifact, move_latest, open_repository, push_version
from tests.machine.artifacts import FAST, Place, make_artifact, new_name


def test_what_is_published_comes_back_byte_for_byte(place: Place) -> None:
    name = new_name()
    artifact = make_artifact(name)
    assert push_version(place.open(name), artifact.manifest, artifact.blobs, "1.0.0") == "published"
    stored = place.open(name).find_manifest("1.0.0")
    assert stored == artifact.manifest
    assert place.open(name).find_manifest(artifact.manifest.digest) == artifact.manifest
    for layer in artifact.layers:
        target = io.BytesIO()
        place.open(name).pull_blob(layer, target)
        assert target.getvalue() == artifact.contents[layer.digest]


def test_what_is_not_there_is_absent_and_no_error(place: Place) -> None:
    repository = place.open(new_name())
    assert repository.find_manifest("1.0.0") is None
    assert repository.find_manifest(digest_of(b"never stored")) is None
    assert repository.list_tags() == ()
    assert not repository.has_blob(Descriptor("text/plain", digest_of(b"never stored"), 12))


def test_a_second_publish_of_the_same_version_changes_nothing(place: Place) -> None:
    name = new_name()
    artifact = make_artifact(name)
    push_version(place.open(name), artifact.manifest, artifact.blobs, "1.0.0")
    unreadable = dict.fromkeys(artifact.blobs, lambda: pytest.fail("a blob was opened again"))
    assert push_version(place.open(name), artifact.manifest, unreadable, "1.0.0") == "already-there"


def test_a_version_tag_is_never_moved_to_another_digest(place: Place) -> None:
    name = new_name()
    first, second = make_artifact(f"{name} first"), make_artifact(f"{name} second")
    push_version(place.open(name), first.manifest, first.blobs, "1.0.0")
    with pytest.raises(VersionTakenError, match="published already") as caught:
        push_version(place.open(name), second.manifest, second.blobs, "1.0.0")
    assert caught.value.exit_code == 9
    assert place.open(name).find_manifest("1.0.0") == first.manifest
    assert not any(place.open(name).has_blob(layer) for layer in second.layers), "uploaded before refused"


def test_overwriting_moves_a_version_when_asked_for(place: Place) -> None:
    name = new_name()
    first, second = make_artifact(f"{name} first"), make_artifact(f"{name} second")
    push_version(place.open(name), first.manifest, first.blobs, "1.0.0")
    assert push_version(place.open(name), second.manifest, second.blobs, "1.0.0", overwrite=True) == "published"
    assert place.open(name).find_manifest("1.0.0") == second.manifest
    assert place.open(name).find_manifest(first.manifest.digest) == first.manifest


def test_latest_moves_only_forward_and_to_the_very_same_digest(place: Place) -> None:
    name = new_name()
    repository = place.open(name)
    moved = {}
    for version in ("1.9.0", "1.10.0", "1.9.1", "2.0.0-rc.1"):
        artifact = make_artifact(f"{name} {version}", version=version)
        push_version(repository, artifact.manifest, artifact.blobs, version)
        moved[version] = move_latest(repository, artifact.manifest, version).move
    assert moved == {"1.9.0": True, "1.10.0": True, "1.9.1": False, "2.0.0-rc.1": False}
    assert repository.find_manifest("latest") == repository.find_manifest("1.10.0")
    assert sorted(repository.list_tags()) == ["1.10.0", "1.9.0", "1.9.1", "2.0.0-rc.1", "latest"]


def test_two_racing_publishers_of_the_same_release_end_with_one_artifact(place: Place) -> None:
    name = new_name()
    artifact = make_artifact(name, size=200_000)

    def publish(_: int) -> str:
        repository = place.open(name)
        state = push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
        move_latest(repository, artifact.manifest, "1.0.0")
        return state

    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(publish, range(4)))
    assert "published" in states
    assert sorted(place.open(name).list_tags()) == ["1.0.0", "latest"]
    assert place.open(name).find_manifest("latest") == artifact.manifest


def test_racing_publishers_of_different_versions_leave_latest_at_the_newest(place: Place) -> None:
    name = new_name()
    versions = ["1.0.0", "1.1.0", "1.2.0", "2.0.0"]
    artifacts = {version: make_artifact(f"{name} {version}", version=version) for version in versions}

    def publish(version: str) -> None:
        repository, artifact = place.open(name), artifacts[version]
        push_version(repository, artifact.manifest, artifact.blobs, version)
        move_latest(repository, artifact.manifest, version)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, versions))
    assert place.open(name).find_manifest("latest") == artifacts["2.0.0"].manifest
    assert sorted(place.open(name).list_tags()) == [*versions, "latest"]


def test_content_that_changed_after_packing_is_not_published(place: Place) -> None:
    name = new_name()
    artifact = make_artifact(name)
    same_length = b"x" * artifact.archive.size
    for changed in (b"other bytes", same_length, artifact.contents[artifact.archive.digest] + b"more", b""):
        blobs = {**artifact.blobs, artifact.archive.digest: lambda changed=changed: io.BytesIO(changed)}
        with pytest.raises(RegistryError, match="is not sha256:"):
            push_version(place.open(name), artifact.manifest, blobs, "1.0.0")
    assert place.open(name).find_manifest("1.0.0") is None
    assert not place.open(name).has_blob(artifact.archive)


def test_the_login_says_where_the_credentials_came_from_and_what_it_opens_is_used(place: Place) -> None:
    name = new_name()
    artifact = make_artifact(name)
    asked = place.credentials is not None
    for version in ("1.0.0", "1.0.1"):  # the second finds all blobs there
        repository = place.open(name)
        assert repository.log_in() == ("the test" if asked else "anonymous")
        push_version(repository, artifact.manifest, artifact.blobs, version)
        if place.registry:
            assert [path for path in place.registry.uploads_under_way() if name in str(path)] == []


def test_a_copy_has_the_same_digest_as_the_original(place: Place, open_registry, tmp_path) -> None:
    name = new_name()
    artifact = make_artifact(name)
    source = open_repository(replace(place.destination, host="", namespace=str(tmp_path / "bundle")), name, FAST, None)
    push_version(source, artifact.manifest, artifact.blobs, "1.0.0")
    target = place.open(name)
    assert copy_artifact(source, target, artifact.manifest.digest, tag="1.0.0") == artifact.manifest.digest
    assert target.find_manifest("1.0.0") == artifact.manifest
    other = make_artifact(f"{name} other")
    push_version(source, other.manifest, other.blobs, "2.0.0")
    with pytest.raises(VersionTakenError):
        copy_artifact(source, target, other.manifest.digest, tag="1.0.0")


def test_an_index_is_copied_with_all_its_manifests(place: Place, tmp_path) -> None:
    name = new_name()
    source = open_repository(replace(place.destination, host="", namespace=str(tmp_path / "bundle")), name, FAST, None)
    children = [make_artifact(f"{name} {number}") for number in range(2)]
    for number, child in enumerate(children):
        push_version(source, child.manifest, child.blobs, f"child-{number}")
    entries = [
        {"mediaType": child.manifest.media_type, "digest": child.manifest.digest, "size": len(child.manifest.content)}
        for child in children
    ]
    index = StoredManifest(canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), INDEX)
    source.push_manifest(index, "1.0.0")
    copy_artifact(source, place.open(name), index.digest, tag="1.0.0")
    assert place.open(name).find_manifest("1.0.0") == index
    assert all(place.open(name).has_blob(layer) for child in children for layer in child.layers)


def test_an_empty_blob_can_be_pushed_and_pulled(place: Place) -> None:
    repository = place.open(new_name())
    empty = Descriptor("text/plain", digest_of(b""), 0)
    repository.push_blob(empty, io.BytesIO)
    target = io.BytesIO()
    repository.pull_blob(empty, target)
    assert target.getvalue() == b""
