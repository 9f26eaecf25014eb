from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine.artifacts import place  # noqa: F401
from tests.machine.builds import bench  # noqa: F401
from tests.machine.command_line import command_line, commands_to_end, shared_command_line  # noqa: F401
from tests.machine.engines import build_settings, engine, engine_handle  # noqa: F401
from tests.machine.git_daemon import (  # noqa: F401
    broken_repository,
    example_repository,
    git_daemon,
    served_folder,
    small_repository,
)
from tests.machine.host_toolchains import compiled_plugins, envoy  # noqa: F401
from tests.machine.oci_clients import oras_program, skopeo_program  # noqa: F401
from tests.machine.prefect_server import prefect_server  # noqa: F401
from tests.machine.receivers import on_tag_server, receiver  # noqa: F401
from tests.machine.registries import (  # noqa: F401
    any_proxy,
    basic_registry,
    faulty_proxy,
    open_registry,
    tls_registry,
    token_registry,
)

# What takes longest is begun first, so that no process is left alone with it at the end.
LONG = ("containers", "test_many_workers", "test_up", "test_github_action", "test_run_image", "test_deployments")
# Files that share a fixture go to one process: the image of a builder and an example's module are made once.
SHARED = {
    "bench": "containers",
    "command_line": "containers",
    "shared_command_line": "containers",
    "compiled_plugins": "modules",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together, and what begins first (`make test-integration` runs several processes)."""
    groups: dict[Path, str] = {}
    for item in items:
        used = getattr(item, "fixturenames", ())
        groups.setdefault(item.path, item.path.stem)
        groups[item.path] = next((name for fixture, name in SHARED.items() if fixture in used), groups[item.path])
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item.path]))
    order = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(groups[item.path], len(order)))
