from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.machine.artifacts import place  # noqa: F401
from tests.machine.builds import bench  # noqa: F401
from tests.machine.command_line import command_line, commands_to_end, shared_command_line  # noqa: F401
from tests.machine.engines import build_site, engine, engine_handle  # noqa: F401
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
LONG = (
    *("builds", "test_many_workers", "test_up", "publications"),
    *("test_github_action", "test_run_image", "test_deployments"),
)
# Files that share what is dear go to one process: the images of builders, modules that were built before.
TOGETHER = {
    "builds": r"test_builds_(?!on_host)|test_prepare",
    "publications": r"test_demo|test_publish_(?!partly)",
    "modules": r"test_examples|test_gateway|test_judge_agrees",
}


def group_of(path: str) -> str:
    """Return the name of what runs in one process with the file: a group, else the file itself."""
    name = Path(path).stem
    return next((group for group, pattern in TOGETHER.items() if re.match(pattern, name)), name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    order = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(group_of(str(item.path)), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole groups; `--dist loadgroup` would, but xdist 3.8 marks them where pytest 9.2 does not look."""
    from xdist.scheduler import LoadScopeScheduling

    class LoadGroups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0])

    return LoadGroups(config, log)
