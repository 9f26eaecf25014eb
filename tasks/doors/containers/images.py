"""Have a builder's image on an engine: pulled where one is configured, else built from the folder, once."""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pluginyard.builds import MIB, Builder, PluginScript, check_toolchain, container_config, image_error, script_error
from pluginyard.oci import canonical_json, digest_of, hex_of
from pluginyard.settings import Site
from tasks.doors.build_output import Log
from tasks.doors.containers.engines import Engine, engine_errors
from tasks.doors.containers.image_builds import build_image, ensure_pulled, find_image, read_authorities
from tasks.doors.containers.running import run_once
from tasks.doors.locks import file_lock

CHECK_SECONDS = 60
CHECK_RUN = "image-check"


@dataclass(frozen=True)
class BuilderImage:
    """Name an image that was checked: it has the toolchain that its builder declares."""

    reference: str
    digest: str
    """Id of the image on the engine: builds name it by this, for a tag can move."""
    toolchain: str
    compile_digest: str = ""
    """Id of the image to compile in, where that is another: a script of the plugin has run in it."""


def ensure_builder_image(
    engine: Engine,
    builder: Builder,
    site: Site,
    log: Log,
    *,
    fetches: bool = True,
    script: PluginScript | None = None,
    run_id: str = CHECK_RUN,
) -> BuilderImage:
    """Return the image of `builder`, pulling or building it first where it is missing.

    For a build that fetches nothing no more is made than the stage which the Dockerfile has for those. With `script`
    there is a layer on top, in which that has run. The container in which an image is checked is marked with `run_id`,
    for `remove_leftovers`. Raises BuildError where the image cannot be pulled or built, or has another toolchain than
    the builder declares.
    """
    with engine_errors(engine.address):
        ready = builder.ready_image(site)
        source = ensure_pulled(engine, ready, log) if ready else ""
        wanted = _Wanted(builder, site, source, "" if source or fetches else builder.definition.image.alone)
        tag, found = _find(engine, wanted)
        if not found:
            # Stage and whole take the same lock: the one is the other's beginning.
            with _image_lock(engine, wanted.whole):
                tag, found = _find(engine, wanted)
                found = found or _make(engine, wanted, log, run_id)
        prepared = _ensure_prepared(engine, wanted, tag, script, log, run_id) if script else ""
        toolchain = f"{builder.definition.toolchain.name} {builder.version(site)}"
        return BuilderImage(ready or tag, found, toolchain, prepared)


def _image_lock(engine: Engine, tag: str) -> AbstractContextManager[None]:
    """Hold the lock of this user's processes that make the image `tag`, whatever cache they have."""
    folder = Path(tempfile.gettempdir()) / f"pluginyard-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return file_lock(folder / f"{digest_of(f'{engine.address} {tag}'.encode())[7:27]}.lock")


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
    found = find_image(engine, wanted.whole)
    return (wanted.whole, found) if found or not wanted.stage else (wanted.tag, find_image(engine, wanted.tag))


def _make(engine: Engine, wanted: _Wanted, log: Log, run_id: str) -> str:
    """Build the image unless it is there; tag it after its toolchain was checked."""
    made = wanted.source or _build(engine, wanted, log)
    return _checked(engine, wanted, made, wanted.tag, run_id)


def _checked(engine: Engine, wanted: _Wanted, made: str, tag: str, run_id: str) -> str:
    """Tag the image `made` if it has the declared toolchain."""
    builder, declared = wanted.builder, wanted.builder.definition.toolchain
    real = declared.version_in(_printed(engine, made, declared.version_command, wanted.site, run_id))
    check_toolchain(declared.name, builder.version(wanted.site), real, subject=builder.ready_image(wanted.site) or tag)
    repository, _, name = tag.rpartition(":")
    engine.client.tag(made, repository, name)
    return made


def _build(engine: Engine, wanted: _Wanted, log: Log) -> str:
    builder, site = wanted.builder, wanted.site
    base = builder.base_image(site)
    log(f"building the image of the builder {builder.name} on {base}: once for this machine")
    files = {**builder.image_files, **read_authorities(site.ca_bundle)}
    arguments = {**site.fetch_environment, "BASE_IMAGE": base, "VERSION": builder.version(site)}
    return build_image(engine, files, arguments, log, partial(image_error, base), target=wanted.stage)


def _ensure_prepared(engine: Engine, wanted: _Wanted, base: str, script: PluginScript, log: Log, run_id: str) -> str:
    """Return the id of the image on top of `base` in which `script` has run; kept by the hash of both."""
    site = wanted.site
    key = digest_of(canonical_json([find_image(engine, base), script.name, digest_of(script.content)]))[7:27]
    tag = f"pluginyard/{wanted.builder.name}:prepared-{key}"
    with _image_lock(engine, tag):
        if found := find_image(engine, tag):
            return found
        log(f"running {script.path} in a layer of {base}: once for this machine")
        files = {**script.image_files(base, site), **read_authorities(site.ca_bundle)}
        memory = site.memory * MIB
        limits = {"memory": memory, "memswap": memory}
        fail = partial(script_error, script.path)
        made = build_image(engine, files, site.fetch_environment, log, fail, container_limits=limits)
        return _checked(engine, wanted, made, tag, run_id)


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
