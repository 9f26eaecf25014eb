"""Publish many plugins from one Python process: `python -m benchmarks.one_process AT_ONCE REQUEST…` (as JSON).

Each request is one of `publish-plugin`; one that names no plugin is of `publish-plugins`, the whole repository at once.
Prints, as JSON, the seconds that importing took and those of the whole after it.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def main() -> None:
    """Publish every request, AT_ONCE at a time."""
    at_once, *texts = sys.argv[1:]
    begun = time.monotonic()
    from flows.server import recorded_runs

    with recorded_runs():
        import flows.publish_plugins  # noqa: F401  # before the clock: it imports what both flows need

        imported = time.monotonic()
        if "plugin" in json.loads(texts[0]):
            _publish_each(int(at_once), texts)
        else:
            _publish_repository(int(at_once), texts[0])
        ended = time.monotonic()
    print(json.dumps({"import": imported - begun, "total": ended - imported}))


def _publish_each(at_once: int, texts: list[str]) -> None:
    """Run the flow of one plugin for each request, in threads that know this thread's settings."""
    from flows.publish_plugin import publish_plugin
    from pluginyard.publish_requests import PublishRequest

    requests = [PublishRequest.model_validate_json(text) for text in texts]
    with ThreadPoolExecutor(at_once) as pool:
        runs = [pool.submit(contextvars.copy_context().run, publish_plugin, request) for request in requests]
        for run in runs:
            run.result()


def _publish_repository(at_once: int, text: str) -> None:
    """Run the flow of a whole repository."""
    from flows.publish_plugins import publish_plugins
    from pluginyard.batches import RepositoryRequest

    asyncio.run(publish_plugins(RepositoryRequest.model_validate({**json.loads(text), "at_once": at_once})))


if __name__ == "__main__":
    main()
