"""Find a container engine: the one that is named, else the one this machine usually has."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pluginyard.errors import BuildError, EngineUnavailableError

if TYPE_CHECKING:
    from docker import APIClient

FIND_SECONDS = 5
KNOWN_SECONDS = 30
CALL_SECONDS = 120
USUAL_SOCKET = "/var/run/docker.sock"
_REMEDY = "start it, mend DOCKER_HOST, or set PLUGINYARD_ENGINE=host"


@dataclass(frozen=True)
class Engine:
    """Hold a connection to an engine that answered."""

    client: APIClient = field(repr=False)
    address: str
    version: str
    cpus: int


@dataclass(frozen=True)
class _Known:
    """Remember what an engine said of itself a moment ago: planning asks, and building again."""

    api: str
    version: str
    cpus: int
    until: float


_known: dict[str, _Known] = {}


def require_engine(address: str = "") -> Engine:
    """Return the engine that `find_engine` finds; raise EngineUnavailableError where there is none."""
    engine = find_engine(address)
    if engine is None:
        raise EngineUnavailableError(
            "the container engine is gone", subject=address or "container engine", remedy="start it again"
        )
    return engine


def find_engine(address: str = "") -> Engine | None:
    """Return the engine at `address`, else at DOCKER_HOST, else at the usual socket; None where there is none.

    Raises EngineUnavailableError where an engine is named and does not answer.
    """
    named = address or os.environ.get("DOCKER_HOST", "")
    if not (place := named or usual_address()):
        return None
    try:
        return _connect(place)
    except EngineUnavailableError:
        if named:
            raise
        return None


def usual_address() -> str:
    """Return the address of the socket this machine usually has, empty where there is none that may be used."""
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    usual = str(rootless) if rootless.exists() else USUAL_SOCKET
    return f"unix://{usual}" if os.access(usual, os.R_OK | os.W_OK) else ""


def _connect(address: str) -> Engine:
    import docker  # the SDK takes 0.2 s to import, and `pluginyard plan` never needs it
    from docker.utils import kwargs_from_env

    known = _known.get(address)
    if known is not None and time.monotonic() > known.until:
        known = None
    with engine_errors(address):
        tls = kwargs_from_env().get("tls", False)
        client = docker.APIClient(
            base_url=address,
            version=known.api if known else "auto",
            timeout=FIND_SECONDS,
            tls=tls if address.startswith(("tcp:", "https:")) else False,
            use_ssh_client=address.startswith("ssh:"),
        )
        if known is None:
            facts = client.info()
            version, cpus = str(facts.get("ServerVersion", "")), int(facts.get("NCPU", 1))
            known = _known[address] = _Known(client.api_version, version, cpus, time.monotonic() + KNOWN_SECONDS)
        client.timeout = CALL_SECONDS
    return Engine(client, address, known.version, known.cpus)


@contextlib.contextmanager
def engine_errors(subject: str) -> Iterator[None]:
    """Translate what the SDK raises: no answer is worth another try, a refusal is not.

    A full disk or unreadable file of this machine is no error of the engine, and is told as what it is.
    """
    import requests.exceptions
    from docker import errors

    try:
        yield
    except errors.APIError as error:  # first: it is a requests exception too
        raise _refusal(subject, error.explanation or str(error), error.status_code) from error
    except (requests.exceptions.RequestException, errors.DockerException, ConnectionError) as error:
        raise EngineUnavailableError(
            f"the container engine does not answer: {str(error)[:300]}", subject=subject, remedy=_REMEDY
        ) from error
    except OSError as error:
        raise BuildError(
            f"this machine could not do its part: {error}", subject=subject, remedy="make room, or mend the permissions"
        ) from error


def _refusal(subject: str, explanation: str, status: int | None) -> BuildError:
    message = f"the container engine refused: {str(explanation).strip()[:600]}"
    if status is not None and status >= 502:
        return EngineUnavailableError(message, subject=subject, remedy=_REMEDY)
    return BuildError(message, subject=subject, remedy="the engine's own log tells more")
