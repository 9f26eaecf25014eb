"""The engine that tests build in: one that is named, one that already runs, else one of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pluginyard.settings import Site, load_site
from tasks.doors.containers import Engine, find_engine
from tests.machine.debian import MissingPackageError, can_install
from tests.machine.engine import EngineFolders, EngineHandle, default_root, start, status, stop
from tests.machine.host_toolchains import miss
from tests.machine.turns import used_by_many

NAMED_ENGINE = "PLUGINYARD_TEST_ENGINE"
NAMED_BASE = "PLUGINYARD_TEST_BASE_IMAGE"
NAMED_ROOT = "PLUGINYARD_TEST_ENGINE_ROOT"


def engine_root() -> Path:
    """Return the data folder of the engine that tests share with `make engine`."""
    return Path(os.environ.get(NAMED_ROOT) or default_root())


def ensure_engine() -> EngineHandle:
    """Return an engine that answers, starting the private one where none is named.

    Raises MissingPackageError where that is not possible on this machine.
    """
    if address := os.environ.get(NAMED_ENGINE):
        return EngineHandle(address, os.environ.get(NAMED_BASE, ""))
    if not can_install():
        raise MissingPackageError(f"a container engine (name one with {NAMED_ENGINE}, or be root on Debian)")
    return start(engine_root())


@pytest.fixture(scope="session")
def engine_handle() -> Iterator[EngineHandle]:
    """Give a reachable engine; one that tests started is stopped when the last of them leaves, its images kept."""
    with used_by_many("engine", _enter, _leave) as handle:
        yield handle


def _enter() -> EngineHandle:
    was_there = bool(os.environ.get(NAMED_ENGINE) or status(engine_root())["answers"])
    try:
        handle = ensure_engine()
    except (MissingPackageError, RuntimeError, subprocess.SubprocessError) as error:
        miss(str(error))
    if not was_there:
        _note().touch()
    return handle


def _leave() -> None:
    if _note().exists():
        stop(engine_root())


def _note() -> Path:
    """Return the file that is there where tests, and not `make engine`, started the engine."""
    return EngineFolders(engine_root().resolve()).runtime / "of-tests"


@pytest.fixture(scope="session")
def engine(engine_handle: EngineHandle) -> Engine:
    """Give the door's connection to the engine."""
    found = find_engine(engine_handle.address)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def build_site(engine_handle: EngineHandle) -> Site:
    """Give the site of builds on the engine: Debian as the builders' base, this machine's authorities."""
    names = ("GOPROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
    own = {"DOCKER_HOST": engine_handle.address, "PLUGINYARD_BASE_IMAGE": engine_handle.base_image}
    return load_site({name: os.environ[name] for name in names if name in os.environ} | own)
