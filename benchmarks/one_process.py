"""Publish many plugins from one Python process: `python -m benchmarks.one_process THREADS REQUEST…` (as JSON).

Prints, as JSON, the seconds that importing took, those of the whole, and those of each run.
"""

from __future__ import annotations

import contextvars
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def main() -> None:
    """Publish every request, THREADS at a time."""
    threads, *texts = sys.argv[1:]
    begun = time.monotonic()
    from flows.server import recorded_runs

    with recorded_runs():
        from flows.publish_plugin import publish_plugin
        from pluginyard.publish_requests import PublishRequest

        imported = time.monotonic()

        def publish(text: str) -> float:
            start = time.monotonic()
            publish_plugin(PublishRequest.model_validate_json(text))
            return time.monotonic() - start

        with ThreadPoolExecutor(int(threads)) as pool:
            runs = [pool.submit(contextvars.copy_context().run, publish, text) for text in texts]
            each = [run.result() for run in runs]
        ended = time.monotonic()
    print(json.dumps({"import": imported - begun, "total": ended - imported, "each": each}))


if __name__ == "__main__":
    main()
