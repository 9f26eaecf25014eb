"""How often a registry is asked: each question costs a round trip, and the hash of a password where there is one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pluginyard.errors import VersionTakenError
from pluginyard.oci import Destination
from tasks.doors.registries import (
    ArtifactRepository,
    Credentials,
    move_latest,
    open_repository,
    pull_artifact,
    push_version,
)
from tests.machine.artifacts import FAST, SampleArtifact, make_artifact, new_name
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry


def published(proxy: FaultyProxy) -> tuple[ArtifactRepository, SampleArtifact]:
    name = new_name()
    artifact = make_artifact(name)
    repository = open_repository(Destination(proxy.host, "team/plugins"), name, FAST, None)
    assert push_version(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
    return repository, artifact


def test_a_publication_asks_thrice_for_each_blob_and_four_times_for_the_tag(faulty_proxy: FaultyProxy) -> None:
    published(faulty_proxy)
    assert [faulty_proxy.count(method, "/blobs/") for method in ("HEAD", "POST", "PUT")] == [3, 3, 3]
    assert [faulty_proxy.count(method, "/manifests/") for method in ("GET", "PUT")] == [3, 1]


def test_moving_latest_forward_looks_before_and_after(faulty_proxy: FaultyProxy) -> None:
    repository, artifact = published(faulty_proxy)
    before = faulty_proxy.count()
    assert move_latest(repository, artifact.manifest, "1.0.0").move
    assert faulty_proxy.count("PUT", "/manifests/latest") == 1
    assert faulty_proxy.count() - before == 4


def test_blobs_are_pulled_side_by_side(faulty_proxy: FaultyProxy, tmp_path: Path) -> None:
    repository, artifact = published(faulty_proxy)
    faulty_proxy.fail(Fault("delay", method="GET", path="/blobs/", seconds=0.5, times=3))
    started = time.monotonic()
    pulled = pull_artifact(repository, artifact.manifest.digest, tmp_path)
    assert time.monotonic() - started < 1.25
    for digest, content in artifact.contents.items():
        assert pulled.blob(digest).read_bytes() == content


def test_a_login_costs_no_upload_and_the_tag_is_looked_at_right_before_and_right_after(
    faulty_proxy: FaultyProxy,
) -> None:
    name = new_name()
    artifact = make_artifact(name)
    repository = open_repository(Destination(faulty_proxy.host, "team/plugins"), name, FAST, None)
    repository.log_in()
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0", is_free=True)
    assert faulty_proxy.count("POST", "/blobs/uploads") == len(artifact.blobs), "none for the login"
    assert faulty_proxy.count("GET", "/manifests/1.0.0") == 2, "right before and right after"
    assert repository.find_manifest("1.0.0") == artifact.manifest


def test_an_upload_that_fails_is_begun_anew_after_a_login(faulty_proxy: FaultyProxy) -> None:
    name = new_name()
    artifact = make_artifact(name)
    repository = open_repository(Destination(faulty_proxy.host, "team/plugins"), name, FAST, None)
    repository.log_in()
    faulty_proxy.fail(Fault("status", method="PUT", path="/blobs/uploads", status=503, times=1))
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0", is_free=True)
    assert faulty_proxy.count("POST", "/blobs/uploads") == len(artifact.blobs) + 1
    assert repository.find_manifest("1.0.0") == artifact.manifest


def test_a_version_that_is_taken_meanwhile_is_not_moved(faulty_proxy: FaultyProxy) -> None:
    repository, first = published(faulty_proxy)
    other = make_artifact(f"{repository.name} other")
    with pytest.raises(VersionTakenError):
        push_version(repository, other.manifest, other.blobs, "1.0.0", is_free=True)
    assert repository.find_manifest("1.0.0") == first.manifest


def test_a_login_asks_nothing_where_the_password_is_known_to_be_right(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    faulty_proxy.upstream = basic_registry.host
    credentials = Credentials(basic_registry.username, basic_registry.password, "the test")
    repository = open_repository(Destination(faulty_proxy.host, "team/plugins"), new_name(), FAST, credentials)
    assert repository.log_in() == "the test"
    before = faulty_proxy.count()
    assert repository.log_in() == "the test"
    assert faulty_proxy.count() == before
