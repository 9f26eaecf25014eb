"""Pull an image, or build one from a folder, and follow what the engine says of it."""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pluginyard.builds import CA_NAME, image_error
from pluginyard.errors import BuildError
from tasks.doors.build_output import Log
from tasks.doors.containers.engines import Engine

IMAGE_SECONDS = 1800
# An engine paints what a RUN prints as an error.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ImageError = Callable[[str, str], BuildError]
"""Return the error for an engine's words, and what the build printed last."""


def find_image(engine: Engine, reference: str) -> str:
    """Return the id of the image `reference`, empty where the engine has none."""
    from docker import errors

    try:
        return str(engine.client.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]
    except errors.ImageNotFound:
        return ""


def ensure_pulled(engine: Engine, reference: str, log: Log) -> str:
    """Return the id of the image `reference`, pulled first where it is missing."""
    from docker import errors

    if found := find_image(engine, reference):
        return found
    log(f"pulling {reference}")
    name, _, tag = reference.rpartition(":")
    plain = "@" in reference or "/" in tag or not name
    try:
        for event in engine.client.pull(
            reference if plain else name, tag=None if plain else tag, stream=True, decode=True
        ):
            if "error" in event:
                raise image_error(reference, event["error"])
    except errors.APIError as error:  # the engine's own answer holds what the registry said
        raise image_error(reference, str(error.explanation or error)) from error
    return find_image(engine, reference)


def build_image(
    engine: Engine, files: Mapping[str, bytes], arguments: Mapping[str, str], log: Log, fail: ImageError, **more: Any
) -> str:
    """Build the image of `files` and return its id; raise what `fail` returns where the engine could not."""
    events = engine.client.build(
        fileobj=_packed(files),
        custom_context=True,
        # Of mirrors a RUN sees those that the Dockerfile names with ARG; proxies it always sees.
        buildargs=dict(arguments),
        rm=True,
        forcerm=True,
        timeout=IMAGE_SECONDS,
        decode=True,
        **more,
    )
    return _built_id(events, log, fail, time.monotonic() + IMAGE_SECONDS)


def _built_id(events: Iterator[dict[str, Any]], log: Log, fail: ImageError, deadline: float) -> str:
    built, text = "", ""
    for event in events:
        text = (text + _COLOURS.sub("", event.get("stream", "")))[-4000:]
        if event.get("stream", "").startswith("Step "):
            log(event["stream"].strip()[:200])
        if "error" in event:
            raise fail(event["error"], text)
        if time.monotonic() > deadline:
            raise fail(f"it took longer than {IMAGE_SECONDS} s", text)
        built = event.get("aux", {}).get("ID", built)
    return built


def read_authorities(ca_bundle: str) -> dict[str, bytes]:
    """Return the site's authorities as a file of an image's folder, nothing where there is none."""
    return {CA_NAME: Path(ca_bundle).read_bytes()} if ca_bundle and Path(ca_bundle).exists() else {}


def _packed(files: Mapping[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed
