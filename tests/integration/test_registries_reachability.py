"""Registries that are down, silent, endless, or speak something else."""

from __future__ import annotations

import io
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pluginyard.errors import ConfigurationError, RegistryError, RegistryUnavailableError
from pluginyard.oci import Descriptor, Destination, digest_of
from pluginyard.settings import Site
from tasks.doors.registries import Access, access_to, open_repository
from tasks.registries import Registries
from tests.machine.artifacts import FAST, new_name, through
from tests.machine.certificates import make_certificate
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


@pytest.mark.parametrize(
    ("certificate", "said", "remedy"),
    [({"days": -1}, "has expired", "renew"), ({"address": "127.0.0.9"}, "is for another host", "use the name")],
    ids=["expired", "of another host"],
)
def test_a_certificate_that_no_bundle_would_mend_is_told_as_what_it_is(
    certificate: dict[str, Any], said: str, remedy: str, open_registry: RunningRegistry, tmp_path: Path
) -> None:
    with FaultyProxy(open_registry.host, *make_certificate(tmp_path, **certificate)[:2]) as proxy:
        with pytest.raises(RegistryError, match=said) as caught:
            through(proxy, new_name()).find_manifest("1.0.0")
        assert remedy in caught.value.remedy
        assert not caught.value.transient


def test_a_tls_connection_that_breaks_off_is_tried_again(open_registry: RunningRegistry, tmp_path: Path) -> None:
    with FaultyProxy(open_registry.host, *make_certificate(tmp_path)[:2]) as proxy:
        proxy.fail(Fault("drop", times=99))
        with pytest.raises(RegistryUnavailableError, match=r"the TLS connection fails|cannot talk") as caught:
            through(proxy, new_name()).find_manifest("1.0.0")
        assert proxy.count() == FAST.attempts
        assert "CA bundle" not in caught.value.remedy


def test_a_bundle_is_trusted_beside_the_system_s_authorities(
    tls_registry: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_certificate(tmp_path)[0]
    place = Destination(tls_registry.host, "team")
    for system, ours in ((tls_registry.ca_bundle, str(other)), (str(other), tls_registry.ca_bundle)):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", system)
        assert open_repository(place, "x", Access(ca_bundle=ours), None).find_manifest("1") is None
    with pytest.raises(RegistryError, match="not trusted"):
        open_repository(place, "x", Access(), None).find_manifest("1")


def test_a_bundle_without_a_certificate_is_an_error_of_the_setting(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    for name, said in (("empty.pem", "holds no certificate"), ("absent.pem", "no such CA bundle")):
        with pytest.raises(ConfigurationError, match=said):
            open_repository(Destination("r.example.com", "team"), "x", Access(ca_bundle=str(tmp_path / name)), None)


def test_with_plain_http_asked_for_what_speaks_tls_is_still_spoken_to_over_tls(
    open_registry: RunningRegistry, tls_registry: RunningRegistry
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{probe.getsockname()[1]}"
    site = Site(plain_http=("named.example.com",))
    began = time.monotonic()
    asked = {open_registry.host: True, tls_registry.host: False, nobody: True, "a..b": True, "": False}
    assert {host: access_to(host, site, plain_http=True).plain_http for host in asked} == asked
    assert {host: access_to(host, site, plain_http=False).plain_http for host in asked} == dict.fromkeys(asked, False)
    assert access_to("named.example.com", site, plain_http=False).plain_http, "and is not asked"
    assert access_to("any.example.com", site, "http", plain_http=False).plain_http, "as its address says"
    assert not access_to(open_registry.host, site, "https", plain_http=True).plain_http
    assert access_to(open_registry.host, Site(plain_http=True), plain_http=False).plain_http
    assert time.monotonic() - began < 3


def test_one_run_may_use_a_registry_with_tls_and_one_without(
    open_registry: RunningRegistry, tls_registry: RunningRegistry
) -> None:
    registries = Registries(Site(ca_bundle=tls_registry.ca_bundle), plain_http=True)
    for registry in (open_registry, tls_registry):
        assert registries.open(Destination(registry.host, "team"), new_name()).find_manifest("1.0.0") is None


def test_what_lies_behind_a_proxy_is_taken_to_speak_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert not access_to("registry.invalid", Site(), plain_http=True).plain_http
    monkeypatch.setenv("NO_PROXY", "registry.invalid")
    assert access_to("registry.invalid", Site(), plain_http=True).plain_http


def test_a_registry_that_keeps_silent_is_asked_twice(faulty_proxy: FaultyProxy) -> None:
    faulty_proxy.fail(Fault("silence", times=99))
    with pytest.raises(RegistryUnavailableError, match="fell silent"):
        through(faulty_proxy, new_name(), Access(plain_http=True, read_seconds=0.3, attempts=5)).find_manifest("1.0.0")
    assert faulty_proxy.count() == 2


def test_an_endless_answer_is_not_read_into_memory(faulty_proxy: FaultyProxy) -> None:
    faulty_proxy.fail(Fault("status", status=200, body=b" " * 5_000_000))
    with pytest.raises(RegistryError, match="longer than"):
        through(faulty_proxy, new_name()).find_manifest("1.0.0")
