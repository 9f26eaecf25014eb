from __future__ import annotations

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
