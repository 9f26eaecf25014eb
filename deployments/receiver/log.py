"""The receiver's log: one line a record, whatever text of a sender is in it."""

from __future__ import annotations

import logging

from pluginyard.printable import printable


class EscapedFormatter(logging.Formatter):
    """Escape what is not printable: newlines that forge a record, escape sequences, bidi controls."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (as logging calls it)
        """Return the record's line."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802 (as logging calls it)
        """Return a traceback, indented, so that no line of it looks like a record."""
        return "\n".join(f"    {printable(line)}" for line in super().formatException(ei).split("\n"))
