"""Where a container engine may be: the one that is named, docker's current context, the sockets that engines use.

Read without the SDK, which takes 0.2 s to import and, where docker has no configuration file, looks for contexts in the
working folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pluginyard.errors import ConfigurationError

DEFAULT = "default"
SYSTEM_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
# Rootless docker and podman; Docker Desktop, Colima, Rancher Desktop.
RUNTIME_SOCKETS = ("docker.sock", "podman/podman.sock")
HOME_SOCKETS = (".docker/run/docker.sock", ".colima/default/docker.sock", ".rd/docker.sock")


@dataclass(frozen=True)
class Endpoint:
    """Name a place where an engine may be; a `required` one is an error where it does not answer."""

    address: str
    name: str
    """As a person knows it."""
    required: bool = False
    certificates: Path | None = None
    """Folder with ca.pem, cert.pem and key.pem of a docker context."""
    verify: bool = True


def find_endpoints(address: str = "") -> Iterator[Endpoint]:
    """Yield where an engine may be, in docker's order: `address`, DOCKER_HOST, DOCKER_CONTEXT, `docker context use`.

    Then the sockets that are there. Raises ConfigurationError for a context that is named and is not there.
    """
    if named := address or os.environ.get("DOCKER_HOST", ""):
        yield Endpoint(named, named, required=True)
        return
    if (context := os.environ.get("DOCKER_CONTEXT", "")) not in ("", DEFAULT):
        yield _context(context, required=True)
        return
    if not context and (context := _current_context()) not in ("", DEFAULT):
        # A configuration that came from another machine is without its contexts.
        with suppress(ConfigurationError):
            current = _context(context, required=False)
            yield current
    for socket in _sockets():
        if socket.exists():
            yield Endpoint(f"unix://{socket}", str(socket))


def _sockets() -> Iterator[Path]:
    if runtime := os.environ.get("XDG_RUNTIME_DIR", ""):
        yield from (Path(runtime) / name for name in RUNTIME_SOCKETS)
    yield from map(Path, SYSTEM_SOCKETS)
    if home := os.environ.get("HOME", ""):
        yield from (Path(home) / name for name in HOME_SOCKETS)


def _configuration() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path(os.environ.get("HOME", "/nonexistent")) / ".docker")


def _current_context() -> str:
    try:
        return str(_read(_configuration() / "config.json").get("currentContext") or "")
    except (OSError, ValueError):
        return ""


def _context(name: str, *, required: bool) -> Endpoint:
    """Return the endpoint of the docker context `name`, as `docker context create` writes it."""
    key = hashlib.sha256(name.encode()).hexdigest()
    contexts = _configuration() / "contexts"
    try:
        docker = _read(contexts / "meta" / key / "meta.json")["Endpoints"]["docker"]
        address, skips = str(docker.get("Host") or f"unix://{SYSTEM_SOCKETS[0]}"), bool(docker.get("SkipTLSVerify"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            "there is no such docker context, or it names no engine",
            subject=f"docker context {name}",
            remedy="docker context ls shows those there are: set DOCKER_CONTEXT, or run docker context use",
        ) from error
    certificates = contexts / "tls" / key / "docker"
    title = f"docker context {name} ({address})"
    return Endpoint(address, title, required, certificates if certificates.is_dir() else None, verify=not skips)


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(path)
    return content
