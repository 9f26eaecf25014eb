"""What comes out of a build, as a stream: one regular file of bounded size, or nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pluginyard.buildfailures import output_error
from pluginyard.recipes import BuiltModule, Recipe
from tasks.doors.containers.hardening import WORK

if TYPE_CHECKING:
    from docker import APIClient

BLOCK = 1024 * 1024
# Go's fs.FileMode, which the engine reports: any of the first bits means it is no regular file.
_MODE_TYPE, _MODE_FOLDER = 0x8F280000, 0x80000000
_FACTS_HEADER = "X-Docker-Container-Path-Stat"


@contextlib.contextmanager
def open_output(client: APIClient, container: str, recipe: Recipe) -> Iterator[Iterator[bytes]]:
    """Give the tar of what lies at the output's place; raise BuildError where it is no module.

    The SDK's own `get_archive` cannot be given up: an engine waits for minutes for the rest to be read
    before it removes the container.
    """
    from docker.utils import decode_json_header

    address = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    answer = client.get(address, params={"path": recipe.output(WORK)}, stream=True, timeout=client.timeout)
    with contextlib.closing(answer):
        if answer.status_code == 404:
            raise output_error(recipe, "is missing")
        answer.raise_for_status()
        _check_facts(decode_json_header(answer.headers[_FACTS_HEADER]), recipe)
        yield answer.iter_content(BLOCK)


def _check_facts(facts: dict[str, Any], recipe: Recipe) -> None:
    if facts["mode"] & _MODE_FOLDER:
        raise output_error(recipe, "is a folder")
    if facts.get("linkTarget"):
        raise output_error(recipe, f"is a link to {facts['linkTarget']}")
    if facts["mode"] & _MODE_TYPE:
        raise output_error(recipe, "is no regular file")
    if facts["size"] > recipe.limits.module_bytes:
        raise output_error(recipe, f"is {facts['size']} bytes long")


class _Joined:
    """Read an iterator of blocks as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, or fewer at the end."""
        while len(self._rest) < count:
            block = next(self._blocks, b"")
            if not block:
                break
            self._rest += block
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


def unpack_module(blocks: Iterator[bytes], recipe: Recipe, target: Path) -> BuiltModule:
    """Write the one regular file of the tar in `blocks` to `target` at once, and return it.

    Raises BuildError for a link, a folder or a file above the limit: what lies at the output's
    place is the plugin's doing.
    """
    # By whole blocks: tarfile's own 10 KiB would copy what is left of a block a hundred times.
    with tarfile.open(fileobj=cast(IO[bytes], _Joined(blocks)), mode="r|", bufsize=BLOCK) as archive:
        member = archive.next()
        if member is None or not member.isreg():
            raise output_error(recipe, "is no regular file")
        if member.size > recipe.limits.module_bytes:
            raise output_error(recipe, f"is {member.size} bytes long")
        content = archive.extractfile(member)
        assert content is not None  # noqa: S101 - a regular member has content
        return _store(content, recipe, target)


def _store(content: IO[bytes], recipe: Recipe, target: Path) -> BuiltModule:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            while block := content.read(BLOCK):
                digest.update(block)
                size += file.write(block)
        Path(part).chmod(0o644)
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return BuiltModule(str(target), f"sha256:{digest.hexdigest()}", size, recipe.toolchain, recipe.kind)
