"""What happens to bytes on the way, done for real by a proxy in between."""

from __future__ import annotations

import io
import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pluginyard.errors import RegistryError, RegistryUnavailableError
from pluginyard.oci import Descriptor, digest_of
from tasks.doors.registries import move_latest, push_version
from tests.machine.artifacts import FAST, make_artifact, new_name, place_in, stored_blob, through
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry


def test_a_truncated_download_goes_on_where_it_stopped(any_proxy: FaultyProxy, open_registry: RunningRegistry) -> None:
    name, blob, content = stored_blob(open_registry)
    any_proxy.fail(*(Fault("truncate", method="GET", path="/blobs/", after_bytes=700_000) for _ in range(2)))
    target = io.BytesIO()
    through(any_proxy, name).pull_blob(blob, target)
    assert target.getvalue() == content
    ranges = [seen.headers.get("range", "") for seen in any_proxy.seen]
    assert ranges == ["", "bytes=700000-", "bytes=1400000-"], "from the last byte that came"


def test_a_registry_without_ranges_sends_all_again_and_the_content_is_right(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name, blob, content = stored_blob(open_registry)
    faulty_proxy.fail(Fault("truncate", method="GET", path="/blobs/", after_bytes=700_000))
    faulty_proxy.fail(Fault("status", method="GET", path="/blobs/", status=200, body=content))
    target = io.BytesIO()
    through(faulty_proxy, name).pull_blob(blob, target)
    assert target.getvalue() == content


def test_a_download_that_keeps_breaking_off_leaves_nothing(
    any_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name, blob, _ = stored_blob(open_registry)
    any_proxy.fail(Fault("truncate", method="GET", path="/blobs/", after_bytes=100_000, times=99))
    target = io.BytesIO(b"before")
    target.seek(6)
    with pytest.raises(RegistryUnavailableError):
        through(any_proxy, name).pull_blob(blob, target)
    assert target.getvalue() == b"before"
    assert any_proxy.count("GET", "/blobs/") == FAST.attempts


def test_a_blob_corrupted_on_the_way_is_refused_and_leaves_nothing(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name, blob, _ = stored_blob(open_registry)
    faulty_proxy.fail(Fault("corrupt", method="GET", path="/blobs/", after_bytes=1_500_000))
    target = io.BytesIO()
    with pytest.raises(RegistryError, match="not sha256:") as caught:
        through(faulty_proxy, name).pull_blob(blob, target)
    assert not caught.value.transient
    assert target.getvalue() == b""


def test_a_blob_corrupted_in_the_registrys_storage_is_refused(open_registry: RunningRegistry) -> None:
    name, blob, content = stored_blob(open_registry, size=1000)
    open_registry.stored_blob(blob.digest).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    target = io.BytesIO()
    with pytest.raises(RegistryError, match="not sha256:"):
        place_in(open_registry).open(name).pull_blob(blob, target)
    assert target.getvalue() == b""


def test_a_manifest_corrupted_on_the_way_is_refused(faulty_proxy: FaultyProxy, open_registry: RunningRegistry) -> None:
    name = new_name()
    artifact = make_artifact(name)
    push_version(place_in(open_registry).open(name), artifact.manifest, artifact.blobs, "1.0.0")
    inside = artifact.manifest.content.index(b"1.0.0")
    for asked in ("1.0.0", artifact.manifest.digest):
        faulty_proxy.fail(Fault("corrupt", method="GET", path="/manifests/", after_bytes=inside))
        with pytest.raises(RegistryError, match="manifest received is not"):
            through(faulty_proxy, name).find_manifest(asked)


def test_a_registry_that_stores_another_manifest_is_found_out(faulty_proxy: FaultyProxy) -> None:
    name = new_name()
    artifact, other = make_artifact(name), make_artifact(f"{name} other")
    repository = through(faulty_proxy, name)
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    faulty_proxy.fail(Fault("status", method="PUT", path="/manifests/", status=201))
    with pytest.raises(RegistryError, match="took sha256:"):
        repository.push_manifest(other.manifest, "1.0.0")


def test_an_upload_that_breaks_off_is_begun_anew(any_proxy: FaultyProxy) -> None:
    name = new_name()
    artifact = make_artifact(name, size=2_000_000)
    any_proxy.fail(Fault("drop", method="PUT", path="/blobs/uploads/", after_bytes=600_000, times=2))
    repository = through(any_proxy, name)
    opened = []

    def open_content() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(artifact.contents[artifact.archive.digest])

    assert repository.push_blob(artifact.archive, open_content) == "uploaded"
    assert repository.has_blob(artifact.archive)
    assert len(opened) == 3


def test_a_manifest_whose_answer_breaks_off_is_sent_again(any_proxy: FaultyProxy) -> None:
    artifact = make_artifact(new_name())
    any_proxy.fail(Fault("drop", method="PUT", path="/manifests/", after_bytes=100))
    any_proxy.fail(Fault("drop", method="GET", path="/manifests/"), Fault("drop", method="POST"))
    repository = through(any_proxy, new_name())
    assert push_version(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
    assert repository.find_manifest("1.0.0") == artifact.manifest


def test_the_address_of_an_upload_is_kept_to_the_letter(faulty_proxy: FaultyProxy) -> None:
    """It is the registry's own text, and often signed."""
    artifact = make_artifact(new_name())
    opaque = "/v2/team/up?_state=ab%2Fc~%20x&empty=&x=1&x=2&flag"
    faulty_proxy.fail(Fault("status", method="POST", status=202, headers={"Location": opaque}))
    faulty_proxy.fail(Fault("status", method="PUT", status=201))
    digest = artifact.archive.digest
    assert through(faulty_proxy, new_name()).push_blob(artifact.archive, artifact.blobs[digest]) == "uploaded"
    assert faulty_proxy.seen[-1].path == f"{opaque}&digest={digest.replace(':', '%3A')}"


def test_an_upload_damaged_on_the_way_is_begun_anew(faulty_proxy: FaultyProxy) -> None:
    """The registry's own words for it, once: docker-registry says them also when two clients race."""
    artifact = make_artifact(new_name())
    words = b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}'
    faulty_proxy.fail(Fault("status", method="PUT", path="/blobs/uploads/", status=400, body=words))
    repository = through(faulty_proxy, new_name())
    archive = artifact.archive
    assert repository.push_blob(archive, artifact.blobs[archive.digest]) == "uploaded"


def test_a_publisher_that_is_late_does_not_leave_latest_at_its_older_version(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name = new_name()
    older, newer = make_artifact(f"{name} 1", version="1.0.0"), make_artifact(f"{name} 2", version="2.0.0")
    delay = Fault("delay", method="PUT", path="/manifests/latest", seconds=1.0)
    faulty_proxy.fail(delay)
    late, prompt = through(faulty_proxy, name), place_in(open_registry).open(name)
    push_version(late, older.manifest, older.blobs, "1.0.0")
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(move_latest, late, older.manifest, "1.0.0")
        while delay.times:
            time.sleep(0.01)
        push_version(prompt, newer.manifest, newer.blobs, "2.0.0")
        assert move_latest(prompt, newer.manifest, "2.0.0").move
        assert not moved.done()
        assert moved.result().reason == "2.0.0 is newer"
    assert prompt.find_manifest("latest") == newer.manifest
    assert faulty_proxy.count("PUT", "/manifests/latest") == 2


def test_the_signature_of_a_storages_address_is_in_no_error(faulty_proxy: FaultyProxy) -> None:
    blob = Descriptor("text/plain", digest_of(b"x"), 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        storage = f"http://127.0.0.1:{probe.getsockname()[1]}/blob?X-Amz-Signature=signed-s3cret"
    faulty_proxy.fail(Fault("status", path="/blobs/", status=307, headers={"Location": storage}))
    with pytest.raises(RegistryUnavailableError) as caught:
        through(faulty_proxy, new_name(), replace(FAST, attempts=1)).pull_blob(blob, io.BytesIO())
    assert "signed-s3cret" not in "".join(traceback.format_exception(caught.value))
