"""Have a builder's image on an engine: pulled where one is configured, else built from the folder, once."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pluginyard.builders import Builder
from pluginyard.buildfailures import check_toolchain, image_error
from pluginyard.oci import canonical_json, digest_of
from pluginyard.recipes import BuildSettings, Limits
from tasks.doors.containers.engines import Engine, engine_errors
from tasks.doors.containers.hardening import container_config
from tasks.doors.containers.locks import only_one
from tasks.doors.containers.running import run_once

IMAGE_SECONDS = 1800
CHECK_SECONDS = 60
CHECK_RUN = "image-check"
CA_NAME = "ca-bundle.pem"
Log = Callable[[str], None]


@dataclass(frozen=True)
class BuilderImage:
    """Name an image that was checked: it has the toolchain that its builder declares."""

    reference: str
    digest: str
    """Id of the image on the engine: builds name it by this, for a tag can move."""
    toolchain: str


def ensure_builder_image(
    engine: Engine, builder: Builder, settings: BuildSettings, log: Log, *, run_id: str = CHECK_RUN
) -> BuilderImage:
    """Return the image of `builder`, pulling or building it first where it is missing.

    The container in which it is checked is marked with `run_id`, for `sweep`. Raises BuildError where it
    cannot be had, or has another toolchain than the builder declares.
    """
    with engine_errors(engine.address):
        ready = settings.ready_image(builder)
        source = _ensure_pulled(engine, ready, log) if ready else ""
        wanted = _checked_tag(builder, settings, source)
        found = _image_id(engine, wanted)
        if not found:
            with only_one(f"{engine.address} {wanted}"):
                found = _image_id(engine, wanted) or _make(engine, builder, settings, source, wanted, log, run_id)
        toolchain = f"{builder.definition.toolchain.name} {settings.version(builder)}"
        return BuilderImage(ready or wanted, found, toolchain)


def _make(
    engine: Engine, builder: Builder, settings: BuildSettings, source: str, wanted: str, log: Log, run_id: str
) -> str:
    """Build the image unless it is `source`; tag it `wanted` after its toolchain was checked."""
    made = source or _build(engine, builder, settings, log)
    declared = builder.definition.toolchain
    real = declared.version_in(_printed(engine, made, declared.version_command, run_id))
    check_toolchain(declared.name, settings.version(builder), real, subject=settings.ready_image(builder) or wanted)
    repository, _, tag = wanted.rpartition(":")
    engine.client.tag(made, repository, tag)
    return made


def _checked_tag(builder: Builder, settings: BuildSettings, source: str) -> str:
    """Return the tag of a checked image: another folder, base or version is another tag."""
    of = source or [builder.digest, settings.base_image(builder)]
    key = digest_of(canonical_json([of, settings.version(builder)]))
    return f"pluginyard/{builder.name}:{key.removeprefix('sha256:')[:20]}"


def _image_id(engine: Engine, reference: str) -> str:
    from docker import errors

    try:
        return str(engine.client.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]
    except errors.ImageNotFound:
        return ""


def _ensure_pulled(engine: Engine, reference: str, log: Log) -> str:
    from docker import errors

    if found := _image_id(engine, reference):
        return found
    log(f"pulling {reference}")
    name, _, tag = reference.rpartition(":")
    plain = "@" in reference or "/" in tag or not name
    try:
        for event in engine.client.pull(
            reference if plain else name, tag=None if plain else tag, stream=True, decode=True
        ):
            _check_event(event, reference)
    except errors.APIError as error:  # the engine's own answer holds what the registry said
        raise image_error(reference, str(error.explanation or error)) from error
    return _image_id(engine, reference)


def _build(engine: Engine, builder: Builder, settings: BuildSettings, log: Log) -> str:
    base = settings.base_image(builder)
    log(f"building the image of the builder {builder.name} on {base}: once for this machine")
    arguments = {"BASE_IMAGE": base, "VERSION": settings.version(builder)}
    events = engine.client.build(
        fileobj=_folder(builder.image_files, settings.ca_bundle),
        custom_context=True,
        # Of mirrors a RUN sees those that the Dockerfile names with ARG; proxies it always sees.
        buildargs={**settings.fetch_environment, **arguments},
        rm=True,
        forcerm=True,
        timeout=IMAGE_SECONDS,
        decode=True,
    )
    return _built_id(events, base, log)


def _built_id(events: Iterator[dict[str, Any]], base: str, log: Log) -> str:
    built, text = "", ""
    for event in events:
        text = (text + event.get("stream", ""))[-4000:]
        if event.get("stream", "").startswith("Step "):
            log(event["stream"].strip()[:200])
        _check_event(event, base, text)
        built = event.get("aux", {}).get("ID", built)
    return built


def _check_event(event: Mapping[str, Any], subject: str, text: str = "") -> None:
    if "error" in event:
        raise image_error(subject, event["error"], text)


def _folder(files: Mapping[str, bytes], ca_bundle: str) -> io.BytesIO:
    authorities = {CA_NAME: Path(ca_bundle).read_bytes()} if ca_bundle and Path(ca_bundle).exists() else {}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in sorted({**files, **authorities}.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed


def _printed(engine: Engine, image: str, command: tuple[str, ...], run_id: str) -> str:
    """Return what `command` prints in a container of `image`, without network."""
    config = container_config(
        engine,
        image=image,
        script=shlex.join(command),
        environment={"HOME": "/tmp", "GOTOOLCHAIN": "local", "GOENV": "off"},  # noqa: S108 - its own tmpfs
        limits=Limits(),
        run_id=run_id,
    )
    ended = run_once(engine, config, CHECK_SECONDS)
    return "\n".join(ended.last_lines)
