"""One Prefect test server for the whole tier; builds run on this machine's own toolchain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read when Prefect is imported and when its server starts (docs/decisions.md, "Prefect's test server").
os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE", "1000")
os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

from tests.machine.warm_toolchains import warm_cache
from tests.machine.watched import deployment, hosted, small  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start Prefect's own server on a fresh database; results are kept in a folder of the session."""
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one cache for all tests, so that each plugin is compiled once."""
    return warm_cache(tmp_path_factory.mktemp("user") / "cache")


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> None:
    """Set the site: this machine's toolchain, no registry, no credentials of the user."""
    for name in [name for name in os.environ if name.startswith(("PLUGINYARD_", "REGISTRY_", "IMAGE_", "DOCKER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PLUGINYARD_ENGINE", "host")
    monkeypatch.setenv("PLUGINYARD_CACHE", str(shared_cache))


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Return a fresh git repository of the example plugins, with their tags."""
    from tests.machine.example_repository import make_repository

    return make_repository(tmp_path / "example")


@pytest.fixture
def pair(example: Path) -> Path:
    """Return the example repository with two plugins that share all but their names."""
    from tests.machine.example_repository import commit

    plugins = example / "plugins/wasm-go/extensions"
    shutil.rmtree(example / "plugins/wasm-rust")
    for plugin in plugins.iterdir():
        if plugin.name != "request-block":
            shutil.rmtree(plugin)
    shutil.copytree(plugins / "request-block", plugins / "second")
    commit(example, "two plugins")
    return example
