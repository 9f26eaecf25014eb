"""What a registry answers when it cannot or will not: a proxy in between says it for real."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError, RegistryUnavailableError
from pluginyard.oci import INDEX, StoredManifest, digest_of
from tasks.doors.registries import copy_artifact, push_version
from tests.machine.artifacts import FAST, make_artifact, new_name, stored_blob, through
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_registry_that_answers_an_error_and_then_works_gets_the_artifact(
    faulty_proxy: FaultyProxy, status: int
) -> None:
    name = new_name()
    artifact = make_artifact(name)
    for method in ("GET", "HEAD", "POST", "PUT"):
        faulty_proxy.fail(Fault("status", method=method, path=name, status=status))
    repository = through(faulty_proxy, name, replace(FAST, attempts=5))
    assert push_version(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
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


@pytest.mark.parametrize("status", [400, 401, 403, 405, 413])
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


def test_nothing_is_published_to_something_that_is_no_registry(faulty_proxy: FaultyProxy) -> None:
    page = Fault(
        "status", status=404, body=b"<html>nothing here</html>", headers={"Content-Type": "text/html"}, times=99
    )
    faulty_proxy.fail(page)
    artifact = make_artifact(new_name())
    repository = through(faulty_proxy, new_name())
    assert repository.find_manifest("1.0.0") is None
    with pytest.raises(RegistryError, match="404") as caught:
        push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    assert "check the host and the path" in caught.value.remedy


DEEP = b"[" * 100_000


@pytest.mark.parametrize("body", [b"[]", b"nothing", b'{"errors": 3}', b'{"errors": [3]}', b"\xff", DEEP])
def test_refusals_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, body: bytes) -> None:
    faulty_proxy.fail(Fault("status", status=400, body=body))
    with pytest.raises(RegistryError, match="400"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")
    faulty_proxy.fail(Fault("status", status=404, body=body, times=2))
    assert through(faulty_proxy, new_name()).find_manifest("1.0.0") is None, "a 404 says so whatever its body"
    assert through(faulty_proxy, new_name()).list_tags() == ()


@pytest.mark.parametrize("body", [b"[]", b"nothing", b'{"tags": 7}', b"\xff", DEEP])
def test_lists_of_tags_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, body: bytes) -> None:
    faulty_proxy.fail(Fault("status", status=200, body=body))
    with pytest.raises(RegistryError, match="no list of tags"):
        through(faulty_proxy, new_name()).list_tags()


@pytest.mark.parametrize("body", [b"[]", b"nothing", b"\xff", DEEP])
def test_manifests_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, body: bytes) -> None:
    faulty_proxy.fail(Fault("status", status=200, body=body))
    with pytest.raises(RegistryError, match="no manifest"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")


BLOB = b'{"mediaType":"t","digest":"sha256:%s","size":%%s}' % (b"a" * 64)


@pytest.mark.parametrize(
    "layers",
    [
        b"5",
        b'"layers"',
        b"[5]",
        b"[[]]",
        b"[{}]",
        b'[{"digest":5,"size":1}]',
        *(b"[" + BLOB % size + b"]" for size in (b"1e999", b"-1", b'"1"', b"true", b"1.5", b"9" * 5000)),
    ],
)
def test_layers_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy, layers: bytes) -> None:
    body = b'{"schemaVersion":2,"layers":%s}' % layers
    faulty_proxy.fail(Fault("status", status=200, body=body, times=2))
    source, target = through(faulty_proxy, new_name()), through(faulty_proxy, new_name())
    with pytest.raises(RegistryError):
        copy_artifact(source, target, digest_of(body))


def test_the_manifests_of_an_index_of_another_shape_are_errors_of_ours(faulty_proxy: FaultyProxy) -> None:
    body = b'{"schemaVersion":2,"mediaType":"%s","manifests":5}' % INDEX.encode()
    faulty_proxy.fail(Fault("status", status=200, body=body))
    with pytest.raises(RegistryError, match="manifests are no list"):
        copy_artifact(through(faulty_proxy, new_name()), through(faulty_proxy, new_name()), digest_of(body))


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example.com", "[::1", "\xff", "user@", ":99999"])
def test_a_redirect_to_what_is_no_host_is_an_error_of_ours(faulty_proxy: FaultyProxy, host: str) -> None:
    moved = {"Location": f"http://{host}/x"}
    faulty_proxy.fail(Fault("status", status=307, headers=moved))
    faulty_proxy.fail(Fault("status", method="POST", status=202, headers=moved))
    repository = through(faulty_proxy, new_name(), replace(FAST, attempts=1))
    with pytest.raises(RegistryError):
        repository.find_manifest("1.0.0")
    blob = make_artifact(new_name())
    with pytest.raises(RegistryError):
        repository.push_blob(blob.archive, blob.blobs[blob.archive.digest])


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
