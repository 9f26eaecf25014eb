"""Remove what killed runs left on an engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pluginyard.builds import RUN_LABEL
from tasks.doors.containers.engines import Engine, engine_errors


def remove_leftovers(engine: Engine, is_alive: Callable[[str], bool]) -> tuple[str, ...]:
    """Remove the containers and volumes of every run that `is_alive` denies; return their names."""
    client = engine.client
    with engine_errors(engine.address):
        marked = {"label": RUN_LABEL}
        containers = client.containers(all=True, filters=marked)
        volumes = client.volumes(filters=marked)["Volumes"] or []
        runs = {item["Labels"][RUN_LABEL] for item in [*containers, *volumes]}
        dead = {run for run in runs if not is_alive(run)}
        removals = [
            (item["Names"][0].lstrip("/"), partial(client.remove_container, item["Id"], force=True, v=True))
            for item in containers
            if item["Labels"][RUN_LABEL] in dead
        ]
        removals += [
            (item["Name"], partial(client.remove_volume, item["Name"]))
            for item in volumes
            if item["Labels"][RUN_LABEL] in dead
        ]
        return tuple(name for name, remove in removals if _is_removed(remove))


def _is_removed(remove: Callable[[], None]) -> bool:
    from docker import errors

    try:
        remove()
    except errors.APIError as error:
        if error.status_code in (404, 409):  # gone, or its own run is removing it just now
            return False
        raise
    return True
