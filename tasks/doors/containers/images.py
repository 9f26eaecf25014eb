"""Have a builder's image on an engine: pulled where one is configured, else built from the folder, once."""

from __future__ import annotations

import io
import os
import shlex
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pluginyard.builds import Builder, check_toolchain, container_config, image_error
from pluginyard.oci import canonical_json, digest_of, hex_of
from pluginyard.settings import Site
from tasks.doors.build_output import Log
from tasks.doors.containers.engines import Engine, engine_errors
from tasks.doors.containers.running import run_once
from tasks.doors.locks import file_lock

IMAGE_SECONDS = 1800
CHECK_SECONDS = 60
CHECK_RUN = "image-check"
CA_NAME = "ca-bundle.pem"


@dataclass(frozen=True)
class BuilderImage:
    """Name an image that was checked: it has the toolchain that its builder declares."""

    reference: str
    digest: str
    """Id of the image on the engine: builds name it by this, for a tag can move."""
    toolchain: str


def ensure_builder_image(
    engine: Engine,
    builder: Builder,
    site: Site,
    log: Log,
    *,
    fetches: bool = True,
    run_id: str = CHECK_RUN,
) -> BuilderImage:
    """Return the image of `builder`, pulling or building it first where it is missing.

    For a build that fetches nothing no more is made than the stage which the Dockerfile has for those. The container
    in which it is checked is marked with `run_id`, for `remove_leftovers`. Raises BuildError where the image cannot be
    pulled or built, or has another toolchain than the builder declares.
    """
    with engine_errors(engine.address):
        ready = builder.ready_image(site)
        source = _ensure_pulled(engine, ready, log) if ready else ""
        wanted = _Wanted(builder, site, source, "" if source or fetches else builder.definition.image.alone)
        tag, found = _find(engine, wanted)
        if not found:
            # Stage and whole take the same lock: the one is the other's beginning.
            with file_lock(_lock_path(f"{engine.address} {wanted.whole}")):
                tag, found = _find(engine, wanted)
                found = found or _make(engine, wanted, log, run_id)
        toolchain = f"{builder.definition.toolchain.name} {builder.version(site)}"
        return BuilderImage(ready or tag, found, toolchain)


def _lock_path(image: str) -> Path:
    """Return the lock file of this user's processes that make `image`, whatever cache they have."""
    folder = Path(tempfile.gettempdir()) / f"pluginyard-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{digest_of(image.encode())[7:27]}.lock"


@dataclass(frozen=True)
class _Wanted:
    """Say which image is wanted: `source`, which is here, or one that is built, of `stage` or whole."""

    builder: Builder
    site: Site
    source: str
    stage: str

    @property
    def whole(self) -> str:
        """Return the tag of the whole image once it is checked: another folder, base or version is another tag."""
        of = self.source or [self.builder.digest, self.builder.base_image(self.site)]
        key = digest_of(canonical_json([of, self.builder.version(self.site)]))
        return f"pluginyard/{self.builder.name}:{hex_of(key)[:20]}"

    @property
    def tag(self) -> str:
        """Return the tag of what is made."""
        return f"{self.whole}-{self.stage}" if self.stage else self.whole


def _find(engine: Engine, wanted: _Wanted) -> tuple[str, str]:
    """Return the tag and id of an image that will do; the id is empty where none is here."""
    found = _image_id(engine, wanted.whole)
    return (wanted.whole, found) if found or not wanted.stage else (wanted.tag, _image_id(engine, wanted.tag))


def _make(engine: Engine, wanted: _Wanted, log: Log, run_id: str) -> str:
    """Build the image unless it is there; tag it after its toolchain was checked."""
    builder, site = wanted.builder, wanted.site
    made = wanted.source or _build(engine, wanted, log)
    declared = builder.definition.toolchain
    real = declared.version_in(_printed(engine, made, declared.version_command, site, run_id))
    check_toolchain(declared.name, builder.version(site), real, subject=builder.ready_image(site) or wanted.tag)
    repository, _, tag = wanted.tag.rpartition(":")
    engine.client.tag(made, repository, tag)
    return made


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


def _build(engine: Engine, wanted: _Wanted, log: Log) -> str:
    builder, site = wanted.builder, wanted.site
    base = builder.base_image(site)
    log(f"building the image of the builder {builder.name} on {base}: once for this machine")
    arguments = {"BASE_IMAGE": base, "VERSION": builder.version(site)}
    events = engine.client.build(
        fileobj=_folder(builder.image_files, site.ca_bundle),
        custom_context=True,
        # Of mirrors a RUN sees those that the Dockerfile names with ARG; proxies it always sees.
        buildargs={**site.fetch_environment, **arguments},
        target=wanted.stage,
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


def _printed(engine: Engine, image: str, command: tuple[str, ...], site: Site, run_id: str) -> str:
    """Return what `command` prints in a container of `image`, without network."""
    config = container_config(
        engine_cpus=engine.cpus,
        image=image,
        script=shlex.join(command),
        environment={"HOME": "/tmp", "GOTOOLCHAIN": "local", "GOENV": "off"},  # noqa: S108 - its own tmpfs
        site=site,
        run_id=run_id,
    )
    result = run_once(engine, config, CHECK_SECONDS)
    return "\n".join([*result.output, *result.errors])
