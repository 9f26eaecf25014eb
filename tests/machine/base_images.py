"""The image that builders start from on a private engine: a minimal Debian, made here. Standard library only."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from tests.machine.debian import ensure_debian_package

SUITE = "trixie"
BASE_IMAGE = f"pluginyard-base:{SUITE}"


def ensure_base_image(engine: Path, root: Path) -> None:
    """Import a minimal Debian on the engine that listens at `engine`, unless it is there; `root` holds what is made."""
    if request(engine, "GET", f"/images/{quote(BASE_IMAGE, safe='')}/json")[0] == 200:
        return
    archive = _base_archive(root)
    repository, _, tag = BASE_IMAGE.partition(":")
    query = f"/images/create?fromSrc=-&repo={repository}&tag={tag}"
    with archive.open("rb") as content:
        status, answer = request(engine, "POST", query, content, archive.stat().st_size)
    if status != 200 or b'"error"' in answer:
        raise RuntimeError(f"the base image could not be imported: {answer[-500:].decode(errors='replace')}")


def _base_archive(root: Path) -> Path:
    """Return a tar of a minimal Debian; made once per cache folder (PLUGINYARD_TEST_CACHE, else `root`)."""
    cache = Path(os.environ.get("PLUGINYARD_TEST_CACHE") or root)
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"base-{SUITE}.tar"
    if archive.exists():
        return archive
    part = cache / f"base-{SUITE}.{os.getpid()}.tar"
    debootstrap = ensure_debian_package("debootstrap", "debootstrap")
    tree = root / f"base-{os.getpid()}"
    command = [debootstrap, "--variant=minbase", SUITE, str(tree)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        for leftover in (tree / "var/cache/apt/archives").glob("*.deb"):
            leftover.unlink()
        subprocess.run(["tar", "-C", str(tree), "--one-file-system", "-cf", str(part), "."], check=True, timeout=300)
        part.replace(archive)
    finally:
        unmount_below(tree)
        shutil.rmtree(tree, ignore_errors=True)
        part.unlink(missing_ok=True)
    return archive


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted below `folder`."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def request(path: Path, method: str, url: str, body: object = None, size: int = 0) -> tuple[int, bytes]:
    """Ask the engine that listens at `path`; return the status and the answer."""
    connection = _UnixConnection(path)
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)} if body else {}
    try:
        connection.request(method, url, body=body, headers=headers)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
