"""Push or pull one large blob in a process of its own, and tell the most memory it ever held.

Run as `python -m tests.machine.transfer push|pull DESTINATION NAME MEGABYTES`; the blob is made as it is read.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
from pathlib import Path

from pluginyard.oci import Descriptor, parse_destination
from tasks.doors.registries import Access, open_repository

MEGABYTE = 1024 * 1024


class MadeUpContent(io.RawIOBase):
    """Content of any size that is nowhere: each megabyte is its number, over and over."""

    def __init__(self, megabytes: int):
        self._size = megabytes * MEGABYTE
        self._at = 0
        self._number, self._piece = -1, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number, start = divmod(self._at, MEGABYTE)
        if number != self._number:
            self._number, self._piece = number, number.to_bytes(8, "big") * (MEGABYTE // 8)
        count = min(len(buffer), MEGABYTE - start, self._size - self._at)
        buffer[:count] = self._piece[start : start + count]
        self._at += count
        return count


def describe(megabytes: int) -> Descriptor:
    digest = hashlib.sha256()
    for number in range(megabytes):
        digest.update(number.to_bytes(8, "big") * (MEGABYTE // 8))
    return Descriptor("application/octet-stream", f"sha256:{digest.hexdigest()}", megabytes * MEGABYTE)


def most_memory() -> int:
    """Return the high-water mark of this process in bytes: `ru_maxrss` would count what held its parent at the fork."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    action, place, name, size = sys.argv[1:]
    descriptor = describe(int(size))
    repository = open_repository(parse_destination(place), name, Access(plain_http=True), None)
    if action == "push":
        assert repository.push_blob(descriptor, lambda: io.BufferedReader(MadeUpContent(int(size)))) == "uploaded"
    else:
        with tempfile.TemporaryFile() as target:
            repository.pull_blob(descriptor, target)
            assert target.tell() == descriptor.size
    print(most_memory())


if __name__ == "__main__":
    main()
