"""Bring what the tests need from Debian's own packages, without starting any service of theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.machine.turns import one_at_a_time

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
# Debian Policy 9.3.3.2: an executable policy-rc.d that exits 101 forbids every service start.
POLICY = Path("/usr/sbin/policy-rc.d")
APT = ["apt-get", "-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]


class MissingPackageError(Exception):
    """Say which tool is missing, and why it cannot be brought."""


def find_binary(binary: str) -> str:
    """Return the path of `binary` on PATH or in the system folders, or an empty string."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SBIN])
    return shutil.which(binary, path=path) or ""


def can_install() -> bool:
    """Tell whether packages can be installed here: Debian or Ubuntu, as root."""
    return Path("/etc/debian_version").exists() and os.geteuid() == 0 and bool(shutil.which("apt-get"))


def ensure_debian_package(binary: str, package: str) -> str:
    """Return the path of `binary`, installing `package` if it is missing; raise MissingPackageError."""
    if found := find_binary(binary):
        return found
    if not can_install():
        raise MissingPackageError(f"{binary} is missing, and only root on Debian or Ubuntu can install {package}")
    with one_at_a_time("packages"):
        return find_binary(binary) or _install(binary, package)


def _install(binary: str, package: str) -> str:
    with _no_service_starts():
        for command in (["install", package], ["update"], ["install", package]):
            finished = _run_apt(command)
            if finished.returncode == 0 and (found := find_binary(binary)):
                return found
    raise MissingPackageError(f"apt-get install {package} brought no {binary}: {finished.stderr[-500:]}")


def _run_apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run([*APT, *command], env=environment, capture_output=True, text=True, check=False, timeout=900)


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def debian_mirror() -> str:
    """Return the mirror of Debian that this machine's apt uses; raise MissingPackageError where it uses none."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    for address in listed:
        if address.rstrip("/").endswith("/debian"):
            return address.rstrip("/")
    raise MissingPackageError("no mirror of Debian is among this machine's package sources")
