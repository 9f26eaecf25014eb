"""Run a created container to its end: its output as it comes, a time limit of our own."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

from pluginyard.builds import EXPIRED, GRACE_SECONDS, StepResult
from tasks.doors.build_output import BuildOutput, Log
from tasks.doors.containers.engines import Engine
from tasks.doors.containers.streams import AttachedContainer


@dataclass
class _Watch:
    """Kill a container that takes too long; cut the connection if even that does not end its output."""

    engine: Engine
    container: str
    seconds: float
    stream: Any
    expired: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        if self._ended.wait(self.seconds):
            return
        self.expired = True
        with contextlib.suppress(Exception):  # an engine that is gone cannot kill
            self.engine.client.kill(self.container)
        if not self._ended.wait(GRACE_SECONDS):
            with contextlib.suppress(Exception):
                self.stream.close()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        thread = threading.Thread(target=self.run, name=f"watch {self.container}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()


def run_step(
    engine: Engine,
    container: str,
    seconds: float,
    log: Log,
    take: Callable[[bytes], None] | None = None,
    send: Callable[[], IO[bytes]] | None = None,
) -> StepResult:
    """Start `container`, hand its output to `log` in blocks, and return how it ended.

    Where there is a `take`, it is handed the standard output instead; what it raises ends the step. What `send`
    returns is sent to the container's standard input; it is called once the container runs.
    """
    client, lines = engine.client, BuildOutput(log)
    # Attached before it starts, or the first lines would be lost.
    stream: Any = AttachedContainer(client, container) if send else client.attach(container, stream=True, demux=True)
    watch = _Watch(engine, container, seconds, stream)
    with watch.watching():
        try:
            client.start(container)
            with stream.sending(send()) if send else contextlib.nullcontext():
                for output, errors in stream:
                    if output:
                        (take or lines.feed)(output)
                    if errors:
                        lines.feed_errors(errors)
        except BaseException:
            # An engine does not remove a container whose output somebody still might read.
            with contextlib.suppress(Exception):
                stream.close()
            raise
        lines.close()
        if watch.expired:
            return StepResult(EXPIRED, lines.errors, lines.output, expired=True)
        exit_code = int(client.wait(container)["StatusCode"])
    oom = exit_code != 0 and bool(client.inspect_container(container)["State"]["OOMKilled"])
    return StepResult(exit_code, lines.errors, lines.output, oom)


def run_once(engine: Engine, config: dict[str, Any], seconds: float) -> StepResult:
    """Run a container of `config` that needs nothing and leaves nothing, and return how it ended."""
    name = f"pluginyard-{uuid.uuid4().hex}"
    try:
        engine.client.create_container_from_config(config, name)  # type: ignore[no-untyped-call]
        return run_step(engine, name, seconds, lambda _: None)
    finally:
        remove_quietly(partial(engine.client.remove_container, name, force=True, v=True))


def remove_quietly(remove: Callable[[], object]) -> None:
    """Remove what may not be there; what cannot be removed now is left to `remove_leftovers`."""
    import requests.exceptions
    from docker import errors

    with contextlib.suppress(errors.APIError, requests.exceptions.RequestException):
        remove()
