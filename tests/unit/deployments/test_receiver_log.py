from __future__ import annotations

import logging
import sys

from deployments.receiver.log import EscapedFormatter

HOSTILE = "x\n2026-01-01 INFO started\r\x1b[31mred\u202e\ud800\x00"


def record(message: str, *values: object, failed: bool = False) -> str:
    made = logging.LogRecord("receiver", logging.WARNING, "", 1, message, values, sys.exc_info() if failed else None)
    return EscapedFormatter("%(levelname)s %(name)s: %(message)s").format(made)


def test_a_record_is_one_line_without_control_characters() -> None:
    line = record("refused %d from %s: %s", 401, HOSTILE, "no ünsigned text, 署名なし")
    assert line == (
        "WARNING receiver: refused 401 from x 2026-01-01 INFO started \\x1b[31mred\\u202e\\ud800\\x00: "
        "no ünsigned text, 署名なし"
    )


def test_no_line_of_a_traceback_looks_like_a_record() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        first, *others = record("failed", failed=True).split("\n")
    assert first == "WARNING receiver: failed"
    assert all(line.startswith("    ") and line.isprintable() for line in others)
    assert "ValueError: x" in "".join(others)
