"""A builder: a toolchain and the image it runs in, as one folder of `builders/` describes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import yaml

from pluginyard.builds.definition import Definition
from pluginyard.errors import ConfigurationError
from pluginyard.oci import canonical_json, digest_of
from pluginyard.parsing import load_model
from pluginyard.settings import Site

DEFINITION = "builder.yaml"
DOCKERFILE = "Dockerfile"
# A builder's folder is the site's own, and all are read for each command.
_TRUSTING_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STAGE = re.compile(r"^FROM\s.+\sAS\s+(\S+)\s*$", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Builder:
    """Hold a builder's folder: its definition, and every file of it."""

    name: str
    definition: Definition
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def image_files(self) -> Mapping[str, bytes]:
        """Return the files that the image is built of: all but the definition, which only says how to use it."""
        return {path: content for path, content in self.files.items() if path != DEFINITION}

    @property
    def digest(self) -> str:
        """Return the digest of the Dockerfile and scripts: where one changes, it is another image."""
        return _digest_of_files({path: digest_of(content) for path, content in self.image_files.items()})

    @property
    def identity(self) -> str:
        """Return what stands for the Dockerfile and scripts in the fingerprint of a plugin.

        The definition is left out: a better remedy in `failures` must not publish every plugin again.
        What of it decides the bytes is in a recipe's identity, word by word.
        """
        own = self.definition.identity
        return _digest_of_files({path: own.get(path) or digest_of(text) for path, text in self.image_files.items()})

    @property
    def scripts(self) -> Mapping[str, bytes]:
        """Return the files that a build is given in `{work}/builder`."""
        return {path: content for path, content in self.files.items() if path.endswith(".sh")}

    def version(self, site: Site) -> str:
        """Return the version that the toolchain must have."""
        return site.versions.get(self.name) or self.definition.toolchain.version

    def base_image(self, site: Site) -> str:
        """Return the image that the Dockerfile starts from."""
        asked = site.base_images.get(self.name) or site.base_images.get("*", "")
        return asked or self.definition.image.base.replace("{version}", self.version(site))

    def ready_image(self, site: Site) -> str:
        """Return the image that is used as it is; empty where one is built from the folder."""
        if self.name in site.images:
            return site.images[self.name]
        # A base image that was asked for means: build mine.
        return "" if site.base_images.get(self.name) else self.definition.image.ready

    def needs_fetch(self, read: Callable[[str], bytes | None]) -> bool:
        """Return whether dependencies must be fetched; `read` returns a file of the plugin's folder, or None."""
        fetch = self.definition.fetch
        if fetch is None or fetch.needed_by is None:
            return fetch is not None
        content = read(fetch.needed_by.file)
        if content is None:
            return fetch.needed_by.missing
        return bool(re.search(fetch.needed_by.pattern, content.decode("utf-8", "replace"), re.MULTILINE))


def _digest_of_files(digests: Mapping[str, str]) -> str:
    return digest_of(canonical_json([[path, digest] for path, digest in sorted(digests.items())]))


def load_builder(name: str, files: Mapping[str, bytes]) -> Builder:
    """Load the builder `name` from the files of its folder; raise ConfigurationError for its first fault."""
    subject = f"builders/{name}/{DEFINITION}"
    if not _NAME.fullmatch(name):
        raise ConfigurationError("a builder's name is a-z, 0-9 and -", subject=name, remedy="rename the folder")
    if DEFINITION not in files:
        raise ConfigurationError("the file is missing", subject=subject, remedy="write it, as docs/builders.md says")
    definition = load_model(
        Definition, files[DEFINITION].decode("utf-8", "replace"), subject=subject, loader=_TRUSTING_LOADER
    )
    if not definition.image.ready and not (definition.image.base and DOCKERFILE in files):
        raise ConfigurationError(
            "there is no image to build in",
            subject=subject,
            remedy="name image.ready, or image.base beside a Dockerfile",
        )
    stages = _STAGE.findall(files.get(DOCKERFILE, b"").decode("utf-8", "replace"))
    if (alone := definition.image.alone) and alone not in stages:
        raise ConfigurationError(
            f"image.alone: the Dockerfile has no stage {alone}",
            subject=subject,
            remedy=f"begin one with FROM … AS {alone}",
        )
    return Builder(name, definition, dict(files))


def choose_builder(builders: Mapping[str, Builder], name: str) -> Builder:
    """Return the builder `name`; raise ConfigurationError that names the nearest one."""
    if name in builders:
        return builders[name]
    near = get_close_matches(name, builders, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known builders: {', '.join(sorted(builders))}"
    raise ConfigurationError("there is no such builder", subject=name, remedy=remedy)
