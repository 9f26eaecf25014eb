"""What a Cargo.toml or .cargo/config.toml says of other folders of the repository.

Source: The Cargo Book, "The Manifest Format", "Specifying Dependencies", "Workspaces", "Source Replacement".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pluginyard.errors import SourceError

_MOST_DOTS = 400


@dataclass(frozen=True)
class CargoWorkspace:
    """Hold the `[workspace]` table of a manifest."""

    members: tuple[str, ...]
    exclude: tuple[str, ...]
    paths: Mapping[str, str]
    """The path of each local dependency that members may inherit, by name."""


@dataclass(frozen=True)
class CargoManifest:
    """Hold what a Cargo.toml says of other folders, relative to its own."""

    paths: tuple[str, ...] = ()
    inherited: frozenset[str] = frozenset()
    """Names of dependencies that the workspace specifies."""
    inherits: bool = False
    root: str = ""
    """The workspace's folder, where the package names it."""
    workspace: CargoWorkspace | None = None
    is_package: bool = False


@lru_cache(maxsize=256)  # packages that plugins share are read for each
def parse_manifest(text: str, subject: str) -> CargoManifest:
    """Read a Cargo.toml; raise SourceError for one that Cargo would not read either."""
    document = parse_toml(text, subject=subject)
    found = list(_dependencies(document))
    paths = tuple(_text(item["path"], subject) for _, item in found if "path" in item)
    package = _table(document, "package")
    workspace = document.get("workspace")
    return CargoManifest(
        paths=paths,
        inherited=frozenset(name for name, item in found if item.get("workspace")),
        inherits=any(map(_inherits, (package, dict(found), document))),
        root=_text(package.get("workspace", ""), subject),
        workspace=_workspace(workspace, subject) if isinstance(workspace, dict) else None,
        is_package="package" in document,
    )


def parse_toml(text: str, *, subject: str) -> dict[str, Any]:
    """Return the tables of a TOML file; raise SourceError for one that Cargo would not read either.

    A key of many parts takes time by the square of their number, so a line has few dots.
    """
    import tomllib  # only plugins in Rust need it

    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise SourceError(f"a line has more than {_MOST_DOTS} dots", subject=subject, remedy="break it into lines")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of TOML, of a number with thousands of digits, of deep nesting
        known = isinstance(error, tomllib.TOMLDecodeError)
        said = str(error) if known else "it is nested too deeply, or a number too long"
        raise SourceError(f"not valid TOML: {said}", subject=subject, remedy="fix the file") from None


def vendored_folders(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the folders from which a .cargo/config.toml takes crates, relative to the folder that `.cargo` is in."""
    sources = _table(config, "source").values()
    values = (
        source.get(key) for source in sources if isinstance(source, dict) for key in ("directory", "local-registry")
    )
    return tuple(value for value in values if isinstance(value, str))


def _workspace(table: dict[str, Any], subject: str) -> CargoWorkspace:
    named = [(name, item) for name, item in _table(table, "dependencies").items() if isinstance(item, dict)]
    return CargoWorkspace(
        members=_texts(table.get("members")),
        exclude=_texts(table.get("exclude")),
        paths={name: _text(item["path"], subject) for name, item in named if "path" in item},
    )


def _dependencies(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and specification of each dependency that has more than a version."""
    targets = (table for table in _table(document, "target").values() if isinstance(table, dict))
    for table in (document, *targets):
        for key in table:
            if key.endswith("dependencies") or (key == "replace" and table is document):
                yield from _specified(_table(table, key))
    for patched in _table(document, "patch").values():
        if isinstance(patched, dict):
            yield from _specified(patched)


def _specified(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, item) for name, item in table.items() if isinstance(item, dict))


def _inherits(table: Mapping[str, Any]) -> bool:
    return any(isinstance(item, dict) and item.get("workspace") is True for item in table.values())


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _text(value: object, subject: str) -> str:
    if isinstance(value, str):
        return value
    raise SourceError(f"a path is {value!r:.40}, which is no text", subject=subject, remedy="fix the file")
