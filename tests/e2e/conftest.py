from __future__ import annotations

from tests.machine.browsers import page  # noqa: F401
from tests.machine.git_daemon import broken_repository, example_repository, git_daemon, served_folder  # noqa: F401
from tests.machine.registries import open_registry  # noqa: F401
from tests.machine.workers import site_with_ui  # noqa: F401
