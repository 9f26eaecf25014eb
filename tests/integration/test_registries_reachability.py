"""Registries that are down, silent, endless, or speak something else."""

from __future__ import annotations

import io
import socket
import threading
import time
from dataclasses import replace

import pytest

from pluginyard.errors import RegistryError, RegistryUnavailableError
from pluginyard.oci import Descriptor, digest_of
from pluginyard.references import Destination
from tasks.doors.registries import Access, open_repository
from tests.machine.artifacts import FAST, new_name, through
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import RunningRegistry


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
