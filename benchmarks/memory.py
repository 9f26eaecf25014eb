"""Push and pull one large blob: the most memory each client holds, and its seconds, beside oras-py and ORAS.

`python benchmarks/memory.py [--rounds N] [--megabytes N]`, on a real open registry. Every transfer is a process of its
own; what it imports is in its memory.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Readings, render_table
from tests.machine.oci_clients import unpack_newer_package
from tests.machine.registries import run_registry
from tests.machine.turns import cache_folder

DOOR = """
import sys
from pathlib import Path
from pluginyard.oci import Descriptor
from pluginyard.oci import parse_destination
from tasks.doors.registries import Access, open_repository
action, place, name, path, digest, size = sys.argv[1:]
repository = open_repository(parse_destination(place), name, Access(plain_http=True), None)
blob = Descriptor("application/octet-stream", digest, int(size))
if action == "push":
    assert repository.push_blob(blob, lambda: Path(path).open("rb")) == "uploaded"
else:
    with Path(path).open("wb") as target:
        repository.pull_blob(blob, target)
"""
# `put_upload` is what oras-py's own push does; `download_blob` its pull.
ORAS_PY = """
import sys
import oras.provider
action, place, name, path, digest, size = sys.argv[1:]
registry = oras.provider.Registry(insecure=True, tls_verify=False)
container = registry.get_container(f"{place}/{name}")
if action == "push":
    layer = {"mediaType": "application/octet-stream", "digest": digest, "size": int(size)}
    assert registry.put_upload(path, container, layer).status_code == 201
else:
    registry.download_blob(container, digest, path)
"""
CLIENTS = ("pluginyard", "oras-py", "ORAS")


def main() -> int:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="readings of everything, interleaved (default: 3)")
    parser.add_argument("--megabytes", type=int, default=500, help="size of the blob (default: 500)")
    asked = parser.parse_args()
    memory, seconds = Readings(), Readings()
    oras = str(unpack_newer_package("oras", "usr/bin/oras", cache_folder() / "packages"))
    with tempfile.TemporaryDirectory(prefix="pluginyard-benchmark-") as name:
        folder = Path(name)
        with run_registry("open", folder) as registry:
            for _ in range(asked.rounds):
                digest = _make_content(folder / "content", asked.megabytes)
                for client in CLIENTS:
                    image = uuid.uuid4().hex
                    for action, file in (("push", "content"), ("pull", "copy")):
                        words = (action, f"{registry.host}/memory", image, str(folder / file), digest)
                        held, took = measure(_command(client, oras, (*words, str(asked.megabytes << 20))))
                        memory.add(f"{action} by {client}", held / 1024)
                        seconds.add(f"{action} by {client}", took)
                    (folder / "copy").unlink()
    print(render_table(("most memory", "median MiB", "raw MiB"), memory.rows()), end="\n\n")
    print(render_table(("whole process", "median s", "raw s"), seconds.rows()), end="\n\n")
    print(render_table(("ratio to pluginyard", "memory", "time"), list(_ratios(memory, seconds))))
    return 0


def measure(command: Sequence[str]) -> tuple[int, float]:
    """Run a command; return the most kilobytes it held at once, and its seconds."""
    begun, most = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        most = max(most, _most_held(process.pid))
        time.sleep(0.005)
    if process.returncode:
        raise RuntimeError(f"{command[0]} {command[-6:]} ended with {process.returncode}")
    return most, time.monotonic() - begun


def _most_held(pid: int) -> int:
    """Return the high-water mark of a process: `ru_maxrss` would count what held its parent when it was forked."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def _command(client: str, oras: str, words: tuple[str, ...]) -> list[str]:
    if client != "ORAS":
        return [sys.executable, "-c", DOOR if client == "pluginyard" else ORAS_PY, *words]
    action, place, name, path, digest, _ = words
    if action == "push":
        return [oras, "blob", "push", "--plain-http", f"{place}/{name}@{digest}", path]
    return [oras, "blob", "fetch", "--plain-http", "--output", path, f"{place}/{name}@{digest}"]


def _make_content(path: Path, megabytes: int) -> str:
    """Write content that no registry has yet; return its digest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            piece = os.urandom(1 << 20)
            digest.update(piece)
            file.write(piece)
    return f"sha256:{digest.hexdigest()}"


def _ratios(memory: Readings, seconds: Readings) -> list[tuple[str, str, str]]:
    return [
        (name, f"{memory.ratio(name, ours):.1f}", f"{seconds.ratio(name, ours):.1f}")
        for action in ("push", "pull")
        for name, ours in ((f"{action} by {client}", f"{action} by pluginyard") for client in CLIENTS[1:])
    ]


if __name__ == "__main__":
    sys.exit(main())
