"""Read JSON nobody has vouched for: whatever is wrong with it is one error."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_JSON_BYTES = 4 * 1024 * 1024  # what registries accept of a manifest (distribution-spec, "Pushing Manifests")


def load_json(content: bytes, limit_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return the value in `content`; ValueError where it is too long, too deep, or no JSON (NaN is none)."""
    if len(content) > limit_bytes:
        raise ValueError(f"longer than {limit_bytes} bytes")
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
