"""Publish many plugins from one Python process: `python -m benchmarks.one_process AT_ONCE REQUEST…` (as JSON).

Each request is one of `publish-plugin`; one that names no plugin is of `publish-plugins`, the whole repository at once.
With `plan` in place of a number the repository is planned only, without the registries. Prints, as JSON, the seconds
that importing took, those of the whole after it and of the processor in that time, and the most MiB held after
imports and at the end.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def main() -> None:
    """Publish every request, AT_ONCE at a time."""
    at_once, *texts = sys.argv[1:]
    begun = time.monotonic()
    from flows.history import recorded_runs

    with recorded_runs():
        import flows.publish_plugins  # noqa: F401  # before the clock: it imports what both flows need

        imported, used, held = time.monotonic(), time.process_time(), most_held()
        if at_once == "plan":
            _plan_repository(texts[0])
        elif "plugin" in json.loads(texts[0]):
            _publish_each(int(at_once), texts)
        else:
            _publish_repository(int(at_once), texts[0])
        ended = time.monotonic()
    print(
        json.dumps(
            {
                "import": imported - begun,
                "total": ended - imported,
                "processor": time.process_time() - used,
                "MiB imported": held,
                "MiB": most_held(),
            }
        )
    )


def most_held() -> float:
    """Return the most MiB this process has held; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def _publish_each(at_once: int, texts: list[str]) -> None:
    """Run the flow of one plugin for each request, in threads that know this thread's settings."""
    from flows.publish_plugin import publish_plugin
    from pluginyard.forms import PublishRequest

    requests = [PublishRequest.model_validate_json(text) for text in texts]
    with ThreadPoolExecutor(at_once) as pool:
        runs = [pool.submit(contextvars.copy_context().run, publish_plugin, request) for request in requests]
        for run in runs:
            run.result()


def _publish_repository(at_once: int, text: str) -> None:
    """Run the flow of a whole repository."""
    from flows.publish_plugins import publish_plugins
    from pluginyard.forms import RepositoryRequest

    asyncio.run(publish_plugins(RepositoryRequest.model_validate({**json.loads(text), "at_once": at_once})))


def _plan_repository(text: str) -> None:
    """Plan a whole repository as the flow does, without a run."""
    from flows.machine import choose_host, find_machine
    from pluginyard.forms import RepositoryRequest
    from tasks.sources import plan_repository

    machine = find_machine()
    plan_repository.fn(
        RepositoryRequest.model_validate_json(text),
        machine.cache,
        site=machine.site,
        builders=machine.builders,
        choose_host=choose_host(machine.site),
    )


if __name__ == "__main__":
    main()
