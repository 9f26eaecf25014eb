"""Clients that are not ours, to read what we publish: skopeo, and oras from a newer Debian, unpacked only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.machine.debian import MissingPackageError, debian_mirror, ensure_debian_package
from tests.machine.host_toolchains import miss
from tests.machine.turns import cache_folder, one_at_a_time

SUITE = "trixie"  # the first Debian that has oras (1.2.0, a static program that runs on older ones)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack_newer_package(package: str, program: str, cache: Path) -> Path:
    """Return `program` (a path in `package` of SUITE), unpacked below `cache`; nothing is installed.

    apt gets folders of its own, so the machine's sources and lists stay as they are; it checks signatures.
    Raises MissingPackageError.
    """
    found = cache / SUITE / package / program
    with one_at_a_time("packages"):
        if not found.exists():
            _unpack(package, program, cache, found)
    return found


def _unpack(package: str, program: str, cache: Path, found: Path) -> None:
    if not KEYRING.exists():
        raise MissingPackageError(f"{package} of Debian {SUITE} needs {KEYRING}")
    state = cache / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "state"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {debian_mirror()} {SUITE} main\n")
    (state / "status").touch()
    for leftover in state.glob("*.deb"):
        leftover.unlink()
    _run([*_apt(state), "update"], state)
    _run([*_apt(state), "download", package], state)
    (archive,) = state.glob(f"{package}_*.deb")
    unpacked = state / "unpacked"
    _run(["dpkg", "-x", str(archive), str(unpacked)], state)
    found.parent.mkdir(parents=True, exist_ok=True)
    (unpacked / program).replace(found)  # last, as a whole: an interrupted run leaves no half a program
    archive.unlink()
    shutil.rmtree(unpacked)


def _apt(state: Path) -> list[str]:
    settings = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State": state / "state",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    return ["apt-get", "-qq", *(part for name, text in settings.items() for part in ("-o", f"{name}={text}"))]


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise MissingPackageError(f"{' '.join(command[-2:])}: {done.stderr[-500:]}")


@pytest.fixture(scope="session")
def oras_program() -> str:
    """The oras command, of PATH or of a newer Debian."""
    try:
        return str(unpack_newer_package("oras", "usr/bin/oras", cache_folder() / "packages"))
    except (MissingPackageError, OSError, ValueError) as error:
        miss(f"oras ({error})")


@pytest.fixture(scope="session")
def skopeo_program() -> str:
    """The skopeo command, installed where it can be."""
    try:
        return ensure_debian_package("skopeo", "skopeo")
    except MissingPackageError as error:
        miss(str(error))
