"""What an engine knows of one run: the containers it was asked to make, and what is still there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from pluginyard.builds import RUN_LABEL
from tasks.doors.containers import Engine
from tests.machine.command_line import CommandLine


@dataclass(frozen=True)
class EngineRecords:
    """Read an engine's records of the runs of one command line: others may use the engine at the same time."""

    engine: Engine
    command_line: CommandLine

    def created(self, pid: int, since: float) -> list[str]:
        """Return the containers that the process `pid` has had created since that time."""
        events = self.engine.client.events(
            since=int(since), until=int(time.time()) + 1, filters={"type": "container", "event": "create"}, decode=True
        )
        labels = (event["Actor"]["Attributes"] for event in events)
        return [found["name"] for found in labels if self._is_of(found.get(RUN_LABEL, ""), pid)]

    def left(self, pid: int = 0) -> list[str]:
        """Return the containers and volumes that are there, of the process `pid` or of any run."""
        return [name for name, label in self._marked() if self._is_of(label, pid)]

    def running(self, pid: int) -> list[dict[str, Any]]:
        """Return what the engine tells of each running build container of the process `pid`.

        The short one that asks a builder image for its version is none: it has no volume.
        """
        found = self.engine.client.containers(filters={"label": RUN_LABEL})
        mine = (item for item in found if self._is_of(item["Labels"][RUN_LABEL], pid))
        return [item for item in mine if item["Names"][0].endswith(("-fetch", "-compile"))]

    def _marked(self) -> list[tuple[str, str]]:
        asked = {"label": RUN_LABEL}
        containers = self.engine.client.containers(all=True, filters=asked)
        volumes = self.engine.client.volumes(filters=asked)["Volumes"] or []
        named = [(item["Names"][0], item["Labels"][RUN_LABEL]) for item in containers]
        return named + [(item["Name"], item["Labels"][RUN_LABEL]) for item in volumes]

    def _is_of(self, label: str, pid: int) -> bool:
        known = self.command_line.cache / "id"
        cache = known.read_text() if known.exists() else "none"
        return label.startswith(f"{cache}-{pid}-" if pid else f"{cache}-")
