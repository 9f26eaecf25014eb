from __future__ import annotations

from tests.machine.git_daemon import broken_repository, example_repository, git_daemon, served_folder  # noqa: F401
from tests.machine.host_toolchains import compiled_plugins, envoy  # noqa: F401
