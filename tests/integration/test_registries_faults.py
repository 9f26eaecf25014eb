"""What networks and registries do to a transfer, done for real by a proxy in between."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError, RegistryUnavailableError
from pluginyard.oci import Descriptor, StoredManifest, digest_of
from pluginyard.references import Destination
from tasks.doors.registries import Access, Repository, move_latest, open_repository, push_artifact
from tests.machine.artifacts import FAST, make_artifact, new_name, place_in
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry

BLOB_BYTES = 2_000_000


def through(proxy: FaultyProxy, name: str, access: Access = FAST) -> Repository:
    return open_repository(Destination(proxy.host, "team/plugins"), name, access, None)


def stored_blob(registry: RunningRegistry, size: int = BLOB_BYTES) -> tuple[str, Descriptor, bytes]:
    """Put a blob into the registry, not through the proxy."""
    name = new_name()
    artifact = make_artifact(name, size=size)
    push_artifact(place_in(registry).open(name), artifact.manifest, artifact.blobs, "1.0.0")
    return name, artifact.archive, artifact.contents[artifact.archive.digest]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_registry_that_answers_an_error_and_then_works_gets_the_artifact(
    faulty_proxy: FaultyProxy, status: int
) -> None:
    name = new_name()
    artifact = make_artifact(name)
    for method in ("GET", "HEAD", "POST", "PUT"):
        faulty_proxy.fail(Fault("status", method=method, path=name, status=status))
    repository = through(faulty_proxy, name, replace(FAST, attempts=5))
    assert push_artifact(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
    assert repository.find_manifest("1.0.0") == artifact.manifest


def test_the_registry_is_given_the_time_it_asks_for(faulty_proxy: FaultyProxy) -> None:
    faulty_proxy.fail(Fault("status", status=429, headers={"Retry-After": "1"}))
    started = time.monotonic()
    assert through(faulty_proxy, new_name()).find_manifest("1.0.0") is None
    assert 1.0 <= time.monotonic() - started < 3.0


def test_errors_that_do_not_pass_are_told_after_the_allowed_attempts(faulty_proxy: FaultyProxy) -> None:
    faulty_proxy.fail(Fault("status", status=503, times=99))
    with pytest.raises(RegistryUnavailableError, match="answers 503") as caught:
        through(faulty_proxy, new_name()).find_manifest("1.0.0")
    assert faulty_proxy.count() == FAST.attempts
    assert caught.value.transient
    assert faulty_proxy.host in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413])
def test_a_refusal_is_asked_once(faulty_proxy: FaultyProxy, status: int) -> None:
    faulty_proxy.fail(Fault("status", status=status, times=99, body=b"no"))
    expected = AuthenticationError if status in {401, 403} else RegistryError
    with pytest.raises(expected) as caught:
        through(faulty_proxy, new_name()).find_manifest("1.0.0")
    assert not caught.value.transient
    assert faulty_proxy.count() == 1


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refused_or_failed_question_is_never_read_as_absent(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry, status: int
) -> None:
    name, blob, _ = stored_blob(open_registry, size=100)
    access = replace(FAST, attempts=1)
    for ask in (lambda r: r.find_manifest("1.0.0"), lambda r: r.has_blob(blob), lambda r: r.list_tags()):
        proxy_fault = Fault("status", status=status)
        faulty_proxy.fail(proxy_fault)
        with pytest.raises(PluginyardError):
            ask(through(faulty_proxy, name, access))
        assert proxy_fault.times == 0


def test_a_404_from_something_that_is_no_registry_is_an_error(faulty_proxy: FaultyProxy) -> None:
    page = Fault("status", status=404, body=b"<html>nothing here</html>", headers={"Content-Type": "text/html"})
    faulty_proxy.fail(page)
    with pytest.raises(RegistryError, match="404"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")


def test_a_truncated_download_goes_on_where_it_stopped(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name, blob, content = stored_blob(open_registry)
    faulty_proxy.fail(*(Fault("truncate", method="GET", path="/blobs/", after_bytes=700_000) for _ in range(2)))
    target = io.BytesIO()
    through(faulty_proxy, name).pull_blob(blob, target)
    assert target.getvalue() == content
    ranges = [seen.headers.get("range", "") for seen in faulty_proxy.seen]
    assert ranges == ["", "bytes=524288-", "bytes=1048576-"]


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
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name, blob, _ = stored_blob(open_registry)
    faulty_proxy.fail(Fault("truncate", method="GET", path="/blobs/", after_bytes=100_000, times=99))
    target = io.BytesIO(b"before")
    target.seek(6)
    with pytest.raises(RegistryUnavailableError):
        through(faulty_proxy, name).pull_blob(blob, target)
    assert target.getvalue() == b"before"
    assert faulty_proxy.count("GET", "/blobs/") == FAST.attempts


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
    push_artifact(place_in(open_registry).open(name), artifact.manifest, artifact.blobs, "1.0.0")
    inside = artifact.manifest.content.index(b"1.0.0")
    for asked in ("1.0.0", artifact.manifest.digest):
        faulty_proxy.fail(Fault("corrupt", method="GET", path="/manifests/", after_bytes=inside))
        with pytest.raises(RegistryError, match="manifest received is not"):
            through(faulty_proxy, name).find_manifest(asked)


def test_a_registry_that_stores_another_manifest_is_found_out(faulty_proxy: FaultyProxy) -> None:
    name = new_name()
    artifact, other = make_artifact(name), make_artifact(f"{name} other")
    repository = through(faulty_proxy, name)
    push_artifact(repository, artifact.manifest, artifact.blobs, "1.0.0")
    faulty_proxy.fail(Fault("status", method="PUT", path="/manifests/", status=201))
    with pytest.raises(RegistryError, match="took sha256:"):
        repository.push_manifest(other.manifest, "1.0.0")


def test_an_upload_that_breaks_off_is_begun_anew(faulty_proxy: FaultyProxy) -> None:
    name = new_name()
    artifact = make_artifact(name, size=BLOB_BYTES)
    faulty_proxy.fail(Fault("drop", method="PUT", path="/blobs/uploads/", after_bytes=600_000, times=2))
    repository = through(faulty_proxy, name)
    opened = []

    def open_content() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(artifact.contents[artifact.archive.digest])

    assert repository.push_blob(artifact.archive, open_content) == "uploaded"
    assert repository.has_blob(artifact.archive)
    assert len(opened) == 3


def test_an_upload_damaged_on_the_way_is_begun_anew(faulty_proxy: FaultyProxy) -> None:
    """The registry's own words for it, once: docker-registry says them also when two clients race."""
    artifact = make_artifact(new_name())
    words = b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}'
    faulty_proxy.fail(Fault("status", method="PUT", path="/blobs/uploads/", status=400, body=words))
    repository = through(faulty_proxy, new_name())
    archive = artifact.archive
    assert repository.push_blob(archive, artifact.blobs[archive.digest]) == "uploaded"


def test_a_silent_registry_does_not_hang_us(faulty_proxy: FaultyProxy) -> None:
    faulty_proxy.fail(Fault("silence", times=99))
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError, match="fell silent"):
        through(faulty_proxy, new_name(), Access(plain_http=True, read_seconds=1, attempts=2)).list_tags()
    assert 2 <= time.monotonic() - started < 5


def test_a_registry_that_falls_silent_within_a_download_does_not_hang_us(
    open_registry: RunningRegistry,
) -> None:
    blob = Descriptor("text/plain", digest_of(b"x" * 1000), 1000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                connection, _ = server.accept()
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxxx")
                kept.append(connection)

        kept: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        access = Access(plain_http=True, read_seconds=1, attempts=2)
        started = time.monotonic()
        with pytest.raises(RegistryUnavailableError, match="fell silent"):
            open_repository(Destination(host, "team"), "x", access, None).pull_blob(blob, io.BytesIO())
        assert time.monotonic() - started < 5
        stop.set()
        for connection in kept:
            connection.close()


def test_a_registry_that_is_down_is_told_with_its_name() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError, match="connection refused") as caught:
        open_repository(Destination(host, "team"), "x", replace(FAST, attempts=2), None).log_in()
    assert host in str(caught.value)
    assert time.monotonic() - started < 3


def test_a_host_that_does_not_exist_is_told() -> None:
    place = Destination("registry.invalid", "team")
    with pytest.raises(RegistryUnavailableError, match=r"cannot|resolved|proxy") as caught:
        open_repository(place, "x", replace(FAST, attempts=1), None).find_manifest("1.0.0")
    assert "registry.invalid" in str(caught.value)


def test_plain_http_and_https_mixed_up_are_told_with_the_remedy(
    open_registry: RunningRegistry, tls_registry: RunningRegistry
) -> None:
    with pytest.raises(RegistryError, match="does not speak HTTPS") as caught:
        open_repository(Destination(open_registry.host, "team"), "x", Access(), None).find_manifest("1")
    assert "--plain-http" in caught.value.remedy
    with pytest.raises(RegistryError, match="HTTPS server") as caught:
        open_repository(Destination(tls_registry.host, "team"), "x", FAST, None).find_manifest("1")
    assert "--plain-http" in caught.value.remedy


def test_an_untrusted_certificate_is_refused_once_with_the_remedy(tls_registry: RunningRegistry) -> None:
    started = time.monotonic()
    with pytest.raises(RegistryError, match="certificate is not trusted") as caught:
        open_repository(Destination(tls_registry.host, "team"), "x", Access(), None).find_manifest("1")
    assert "CA bundle" in caught.value.remedy
    assert not caught.value.transient
    assert time.monotonic() - started < 1


def test_an_endless_answer_is_not_read_into_memory(faulty_proxy: FaultyProxy) -> None:
    faulty_proxy.fail(Fault("status", status=200, body=b" " * 5_000_000))
    with pytest.raises(RegistryError, match="longer than"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")


@pytest.mark.parametrize("body", [b"[]", b"nothing", b'{"errors": 3}', b'{"errors": [3]}', b"\xff"])
@pytest.mark.parametrize("status", [400, 404])
def test_refusals_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, status: int, body: bytes) -> None:
    faulty_proxy.fail(Fault("status", status=status, body=body))
    with pytest.raises(RegistryError, match=str(status)):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")


@pytest.mark.parametrize("body", [b"[]", b"nothing", b'{"tags": 7}', b"\xff"])
def test_lists_of_tags_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, body: bytes) -> None:
    faulty_proxy.fail(Fault("status", status=200, body=body))
    with pytest.raises(RegistryError, match="no list of tags"):
        through(faulty_proxy, new_name()).list_tags()


@pytest.mark.parametrize("body", [b"[]", b"nothing", b"\xff", b"[" * 100_000])
def test_manifests_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, body: bytes) -> None:
    faulty_proxy.fail(Fault("status", status=200, body=body))
    with pytest.raises(RegistryError, match="no manifest"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")


def test_waits_are_logged_for_the_person_who_watches(
    faulty_proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    faulty_proxy.fail(Fault("status", status=503))
    with caplog.at_level(logging.WARNING, logger="tasks.doors.registries"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")
    assert "answers 503" in caplog.text
    assert "try 2 in" in caplog.text


def test_a_registry_that_refuses_the_config_media_type_is_told_with_the_remedy(
    faulty_proxy: FaultyProxy,
) -> None:
    words = b'{"errors":[{"code":"DENIED","message":"denied: unknown manifest class for application/x"}]}'
    faulty_proxy.fail(Fault("status", method="PUT", status=403, body=words))
    with pytest.raises(RegistryError, match="unknown manifest class") as caught:
        through(faulty_proxy, new_name()).push_manifest(StoredManifest(b"{}", "application/x"), "1.0.0")
    assert "media type" in caught.value.remedy


def test_a_publisher_that_is_late_does_not_leave_latest_at_its_older_version(
    faulty_proxy: FaultyProxy, open_registry: RunningRegistry
) -> None:
    name = new_name()
    older, newer = make_artifact(f"{name} 1", version="1.0.0"), make_artifact(f"{name} 2", version="2.0.0")
    delay = Fault("delay", method="PUT", path="/manifests/latest", seconds=1.0)
    faulty_proxy.fail(delay)
    late, prompt = through(faulty_proxy, name), place_in(open_registry).open(name)
    push_artifact(late, older.manifest, older.blobs, "1.0.0")
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(move_latest, late, older.manifest, "1.0.0")
        while delay.times:
            time.sleep(0.01)
        push_artifact(prompt, newer.manifest, newer.blobs, "2.0.0")
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
