"""Find a container engine: the one that is named, else the one this machine usually has."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pluginyard.errors import BuildError, EngineUnavailableError
from tasks.doors.containers.endpoints import Endpoint, find_endpoints

if TYPE_CHECKING:
    from docker import APIClient

FIND_SECONDS = 5
KNOWN_SECONDS = 30
CALL_SECONDS = 120
_REMEDY = "start it, fix DOCKER_HOST or the docker context, or set PLUGINYARD_ENGINE=host"


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
    """Return the first engine that answers where `find_endpoints` looks; None where there is none.

    Raises EngineUnavailableError where an engine is named and does not answer.
    """
    for place in find_endpoints(address):
        try:
            return connect(place)
        except EngineUnavailableError:
            if place.required:
                raise
    return None


def connect(place: Endpoint) -> Engine:
    """Return the engine at `place`; raise EngineUnavailableError where none answers."""
    import docker  # the SDK takes 0.2 s to import, and `pluginyard plan` never needs it

    known = _known.get(place.address)
    if known is not None and time.monotonic() > known.until:
        known = None
    with engine_errors(place.name):
        client = docker.APIClient(
            base_url=place.address,
            version=known.api if known else "auto",
            timeout=FIND_SECONDS,
            tls=_tls(place),
            use_ssh_client=place.address.startswith("ssh:"),
        )
        if known is None:
            facts = client.info()
            version, cpus = str(facts.get("ServerVersion", "")), int(facts.get("NCPU", 1))
            known = _Known(client.api_version, version, cpus, time.monotonic() + KNOWN_SECONDS)
            _known[place.address] = known
        client.timeout = CALL_SECONDS
    return Engine(client, place.address, known.version, known.cpus)


def _tls(place: Endpoint) -> Any:
    """Return how the SDK secures the connection: by the context's certificates, else by DOCKER_CERT_PATH."""
    from docker.tls import TLSConfig
    from docker.utils import kwargs_from_env

    if not place.address.startswith(("tcp:", "https:")):
        return False
    if place.certificates is None:
        return kwargs_from_env().get("tls", False)
    own = [str(place.certificates / name) for name in ("cert.pem", "key.pem")]
    pair = (own[0], own[1]) if all(map(os.path.exists, own)) else None
    authority = place.certificates / "ca.pem"
    return TLSConfig(client_cert=pair, ca_cert=str(authority) if authority.exists() else None, verify=place.verify)


@contextlib.contextmanager
def engine_errors(subject: str) -> Iterator[None]:
    """Translate what the SDK raises: no answer is worth another try, a refusal is not.

    A full disk or unreadable file of this machine is no error of the engine, and is reported as what it is.
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
            f"this machine could not do its part: {error}", subject=subject, remedy="make room, or fix the permissions"
        ) from error


def _refusal(subject: str, explanation: str, status: int | None) -> BuildError:
    message = f"the container engine refused: {str(explanation).strip()[:600]}"
    if status is not None and status >= 502:
        return EngineUnavailableError(message, subject=subject, remedy=_REMEDY)
    return BuildError(message, subject=subject, remedy="the engine's own log says more")
