"""JSON from strangers: whatever is wrong with it is one error."""

from __future__ import annotations

import pytest

from pluginyard.parsing import load_json


def test_json_is_read() -> None:
    assert load_json(b'{"a": [1, 2.5, null, "\xc3\xbc"]}') == {"a": [1, 2.5, None, "ü"]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"' + b"x" * 5_000_000 + b'"',
    ],
)
def test_whatever_is_wrong_is_one_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_json(content)


def test_the_bound_is_the_callers_where_documents_are_larger() -> None:
    assert load_json(b'"' + b"x" * 5_000_000 + b'"', 6_000_000) == "x" * 5_000_000
