"""What never ends: headers, what follows them, lists. Each answer has a time and a size for the whole."""

from __future__ import annotations

import contextlib
import io
import itertools
import resource
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pluginyard.errors import PluginyardError, RegistryError, RegistryUnavailableError
from pluginyard.oci import Descriptor, Destination, digest_of
from tasks.doors.registries import Access, ArtifactRepository, Credentials, open_repository
from tests.machine.artifacts import new_name, through
from tests.machine.faulty_proxy import Fault, FaultyProxy

IMPATIENT = Access(plain_http=True, connect_seconds=2, read_seconds=0.5, attempts=1)
BLOB = Descriptor("text/plain", digest_of(b"x" * 1000), 1000)


class RawServer:
    """Answer every request with the same pieces, one after the other, each after a while."""

    def __init__(self, pieces: Iterable[bytes], seconds: float) -> None:
        self._pieces, self._seconds = pieces, seconds

    def __enter__(self) -> RawServer:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            for piece in self._pieces:
                connection.sendall(piece)
                time.sleep(self._seconds)

    def open(self, access: Access = IMPATIENT, credentials: Credentials | None = None) -> ArtifactRepository:
        return open_repository(Destination(self.host, "team"), "x", access, credentials)


def bytewise(text: bytes) -> Iterator[bytes]:
    return (bytes([byte]) for byte in itertools.chain(text, itertools.cycle(b"x")))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxxx\r\n0\r\n"
DRIPPING = {
    "the status line": lambda: bytewise(b"HTTP/1.1 200 O"),
    "a header": lambda: bytewise(b"HTTP/1.1 200 OK\r\nX-Long: "),
    "headers": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X: y\r\n")),
    "100 Continue": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a trailer": lambda: itertools.chain([CHUNKED], bytewise(b"X: ")),
    "trailers": lambda: itertools.chain([CHUNKED], itertools.repeat(b"X: y\r\n")),
    "chunks": lambda: itertools.chain([CHUNKED[:-5]], itertools.repeat(b"1\r\nx\r\n")),
    "a chunk's length": lambda: itertools.chain([CHUNKED[:-5]], itertools.repeat(b"0")),
}


@pytest.mark.parametrize("what", DRIPPING)
@pytest.mark.parametrize("asked", ["manifest", "blob"])
def test_what_only_drips_is_given_up_wherever_it_drips(what: str, asked: str) -> None:
    with RawServer(DRIPPING[what](), 0.03) as server:
        began = time.monotonic()
        with pytest.raises((RegistryUnavailableError, RegistryError)):
            server.open().pull_blob(BLOB, io.BytesIO()) if asked == "blob" else server.open().find_manifest("1.0.0")
        assert time.monotonic() - began < 3


ENDLESS = {
    "headers": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X: y\r\n" * 1000)),
    "a header": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], itertools.repeat(b"y" * 65536)),
    "100 Continue": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "trailers": lambda: itertools.chain([CHUNKED], itertools.repeat(b"X: y\r\n" * 1000)),
    "content": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], itertools.repeat(b"y" * 65536)),
    "chunks": lambda: itertools.chain([CHUNKED[:-5]], itertools.repeat(b"1\r\nx\r\n" * 1000)),
}


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("asked", ["manifest", "blob"])
def test_what_never_ends_is_given_up_before_it_fills_the_memory(what: str, asked: str) -> None:
    patient = Access(plain_http=True, read_seconds=30, attempts=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with RawServer(ENDLESS[what](), 0) as server:
        began, repository = time.monotonic(), server.open(patient)
        with pytest.raises(PluginyardError):
            repository.pull_blob(BLOB, io.BytesIO()) if asked == "blob" else repository.find_manifest("1.0.0")
        assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_a_challenge_of_megabytes_is_read_as_far_as_it_makes_sense() -> None:
    lines = b"".join(b"WWW-Authenticate: Bearer x%d=%s\r\n" % (number, b'"' * 60_000) for number in range(15))
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n" + lines + b"\r\n"
    with RawServer([answer], 0) as server:
        began = time.monotonic()
        with pytest.raises(PluginyardError) as caught:
            server.open(Access(plain_http=True, read_seconds=5, attempts=1)).find_manifest("1.0.0")
        assert time.monotonic() - began < 3
        assert len(str(caught.value)) < 1000


def pages(size: int) -> Iterator[Fault]:
    body = b'{"tags": ["%s"]}' % (b"a" * size)
    for number in range(999):
        link = {"Link": f'</v2/x/tags/list?last={number}>; rel="next"'}
        yield Fault("status", path="tags/list", status=200, headers=link, body=body)


def test_a_list_of_tags_has_a_size_for_all_its_pages(
    faulty_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.doors.registries.client.registry.MOST_BYTES", 3_000_000)
    faulty_proxy.fail(*pages(1_000_000))
    with pytest.raises(RegistryError, match="does not end"):
        through(faulty_proxy, new_name()).list_tags()
    assert faulty_proxy.count() == 3


def test_a_list_of_tags_has_a_time_for_all_its_pages(
    faulty_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.doors.registries.client.registry.MOST_SECONDS", 0.5)
    faulty_proxy.fail(*pages(1))
    began = time.monotonic()
    with pytest.raises(RegistryError, match="does not end"):
        through(faulty_proxy, new_name()).list_tags()
    assert time.monotonic() - began < 3


def test_a_proxy_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with RawServer(bytewise(b"HTTP/1.1 200 O"), 0.03) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{server.host}")
        access = Access(connect_seconds=0.5, read_seconds=0.5, attempts=1)
        began = time.monotonic()
        with pytest.raises(RegistryUnavailableError):
            open_repository(Destination("registry.invalid", "team"), "x", access, None).find_manifest("1.0.0")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("what", ["manifest", "blob"])
def test_an_answer_whose_content_only_drips_is_given_up(what: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with RawServer([head, *itertools.repeat(b"x", 1000)], 0.05) as server:
        repository = server.open()
        began = time.monotonic()
        with pytest.raises(RegistryUnavailableError, match="takes too long"):
            repository.pull_blob(BLOB, io.BytesIO()) if what == "blob" else repository.find_manifest("1.0.0")
        assert time.monotonic() - began < 3
