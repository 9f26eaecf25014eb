"""What a Cargo.toml says of other folders: the local packages that it depends on.

Source: The Cargo Book, "The Manifest Format", "Specifying Dependencies", "Workspaces".
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from pluginyard.errors import SourceError


def parse_toml(text: str, *, subject: str) -> dict[str, Any]:
    """Return the tables of a TOML file; raise SourceError for one that Cargo would not read either."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of TOML, of a number with thousands of digits, of deep nesting
        said = (
            str(error)
            if isinstance(error, tomllib.TOMLDecodeError)
            else "it is nested too deeply, or a number too long"
        )
        raise SourceError(f"not valid TOML: {said}", subject=subject, remedy="mend the file") from None


def cargo_paths(document: dict[str, Any], *, subject: str) -> tuple[str, ...]:
    """Return every `path` of a dependency table, and the workspace root where one is named."""
    paths = tuple(_paths(document))
    for path in paths:
        if not isinstance(path, str):
            raise SourceError(f"a path is {path!r:.40}, which is no text", subject=subject, remedy="mend the file")
    return paths


def _paths(document: dict[str, Any]) -> Iterator[Any]:
    for key, value in document.items():
        if not isinstance(value, dict):
            continue
        if key.endswith("dependencies") or key in ("replace",):
            yield from (item["path"] for item in value.values() if isinstance(item, dict) and "path" in item)
        elif key == "package" and "workspace" in value:
            yield value["workspace"]
        elif key == "patch":
            for source in value.values():
                yield from _paths({"dependencies": source})
        elif key in ("target", "workspace"):
            for table in [value, *value.values()]:
                if isinstance(table, dict):
                    yield from _paths({k: v for k, v in table.items() if k.endswith("dependencies")})
