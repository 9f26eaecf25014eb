"""Real registries on loopback: Debian's docker-registry, open, with passwords, with tokens, with TLS."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.machine.certificates import make_certificate
from tests.machine.debian import MissingPackageError, ensure_debian_package
from tests.machine.faulty_proxy import FaultyProxy
from tests.machine.loopback import free_port
from tests.machine.token_service import ISSUER, SERVICE, TokenService

USERNAME = "publisher"
# Every character that a shell, a URL or a header would trip over; the hash is bcrypt of cost 5.
PASSWORD = "pa$s w\"ord's-s3cret"
PASSWORD_HASH = "$2b$05$snUsuZfO2mCWWv7hMQH3LuuNcPdvfXNaFEBmYtm7FbTPqb5P3GuXq"
Kind = Literal["open", "basic", "token", "tls"]
KINDS: tuple[Kind, ...] = ("open", "basic", "token", "tls")


@dataclass(frozen=True)
class RunningRegistry:
    """Say where a registry listens and how it is entered; empty where nothing is needed."""

    kind: Kind
    host: str
    folder: Path
    username: str = ""
    password: str = ""
    ca_bundle: str = ""
    tokens: TokenService | None = None

    @property
    def plain_http(self) -> bool:
        return not self.ca_bundle

    def stored_blob(self, digest: str) -> Path:
        """Return the file in which the registry keeps a blob, to damage it."""
        text = digest.removeprefix("sha256:")
        blobs = self.folder / "storage/docker/registry/v2/blobs/sha256"
        return blobs / text[:2] / text / "data"

    def uploads_under_way(self) -> list[Path]:
        """Return the uploads that were begun and neither finished nor cancelled."""
        return sorted((self.folder / "storage").glob("**/_uploads/*/startedat"))


@contextlib.contextmanager
def run_registry(kind: Kind, folder: Path, *, password_hash: str = PASSWORD_HASH) -> Iterator[RunningRegistry]:
    """Run a registry of that kind with its storage below `folder`; its own process is ended after."""
    binary = ensure_debian_package("docker-registry", "docker-registry")
    with contextlib.ExitStack() as stack:
        port = free_port()
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
        registry = RunningRegistry(kind, f"127.0.0.1:{port}", folder)
        if kind == "basic":
            (folder / "htpasswd").write_text(f"{USERNAME}:{password_hash}\n")
            config["auth"] = {"htpasswd": {"realm": "Registry Realm", "path": str(folder / "htpasswd")}}
            registry = RunningRegistry(kind, registry.host, folder, USERNAME, PASSWORD)
        if kind == "token":
            tokens = TokenService(folder, USERNAME, PASSWORD)
            stack.callback(tokens.close)
            config["auth"] = {
                "token": {
                    "realm": tokens.realm,
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(tokens.certificate),
                }
            }
            registry = RunningRegistry(kind, registry.host, folder, USERNAME, PASSWORD, tokens=tokens)
        if kind == "tls":
            certificate, key, _ = make_certificate(folder)
            config["http"]["tls"] = {"certificate": str(certificate), "key": str(key)}
            registry = RunningRegistry(kind, registry.host, folder, ca_bundle=str(certificate))
        stack.enter_context(_process(binary, config, port, folder))
        yield registry


@contextlib.contextmanager
def _process(binary: str, config: dict[str, Any], port: int, folder: Path) -> Iterator[None]:
    path = folder / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([binary, "serve", str(path)], stdout=log, stderr=log, cwd=folder)
        try:
            _await_port(process, port, folder / "registry.log")
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"docker-registry does not listen: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def _fixture(kind: Kind, factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    try:
        ensure_debian_package("docker-registry", "docker-registry")
    except MissingPackageError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    with run_registry(kind, factory.mktemp(f"registry-{kind}")) as registry:
        yield registry


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with _fixture("open", tmp_path_factory) as registry:
        yield registry


@pytest.fixture(scope="session")
def basic_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with _fixture("basic", tmp_path_factory) as registry:
        yield registry


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with _fixture("token", tmp_path_factory) as registry:
        yield registry


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with _fixture("tls", tmp_path_factory) as registry:
        yield registry


@pytest.fixture
def faulty_proxy(open_registry: RunningRegistry) -> Iterator[FaultyProxy]:
    """A proxy in front of the open registry; `proxy.upstream` may be changed before the first request."""
    with FaultyProxy(open_registry.host) as proxy:
        yield proxy


@pytest.fixture(params=["plain", "tls"])
def any_proxy(request: pytest.FixtureRequest, open_registry: RunningRegistry, tmp_path: Path) -> Iterator[FaultyProxy]:
    """A proxy in front of the open registry, without and with TLS: what breaks off is another error over TLS."""
    certificate = make_certificate(tmp_path)[:2] if request.param == "tls" else (None, None)
    with FaultyProxy(open_registry.host, *certificate) as proxy:
        yield proxy
