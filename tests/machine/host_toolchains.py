"""Compile the example plugins with toolchains of this machine: for tests of what a gateway does with modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tasks.doors.gateways import Envoy, find_envoy
from tests.machine.example_repository import BROKEN_PLUGINS, HIGRESS_PLUGINS

GO_PLUGINS = Path("plugins/wasm-go/extensions")
RUST_PLUGINS = Path("plugins/wasm-rust/extensions")
RUST_TARGET = "wasm32-wasip1"
_GO_BUILD = ("build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-buildmode=c-shared", "-o")
_GO_ENVIRONMENT = {"GOOS": "wasip1", "GOARCH": "wasm", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def miss(what: str) -> NoReturn:
    """Skip the test for want of `what`; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


def find_go() -> str:
    """Return the go of the running Python environment, else of PATH; empty where there is none."""
    return shutil.which("go", path=str(Path(sys.executable).parent)) or shutil.which("go") or ""


def compile_go(folder: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Compile the Go plugin in `folder` to `output` with the command of the builder."""
    environment = os.environ | _GO_ENVIRONMENT | {"GOFLAGS": ""}
    command = [find_go(), *_GO_BUILD, str(output), "."]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def compile_rust(folder: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Compile the Rust plugin in `folder` to `output` with cargo; the source folder is left as it is."""
    target = output.parent / "target"
    command = ["cargo", "build", "--locked", "--release", "--target", RUST_TARGET]
    environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if not done.returncode:
        built = target / RUST_TARGET / "release" / f"{folder.name.replace('-', '_')}.wasm"
        shutil.copyfile(built, output)
    return done


def has_rust() -> bool:
    """Tell whether cargo and its target for plugins are here; a user's toolchain is not added to."""
    if not shutil.which("cargo") or not shutil.which("rustc"):
        return False
    libraries = ["rustc", "--print", "target-libdir", "--target", RUST_TARGET]
    found = subprocess.run(libraries, capture_output=True, text=True, check=False)
    return found.returncode == 0 and Path(found.stdout.strip()).is_dir()


class CompiledPlugins:
    """Compile an example plugin when its module is first asked for, once a session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def go(self, name: str) -> Path:
        """Return the module of a Go plugin of the examples or of the broken ones."""
        if not find_go():
            miss("a Go toolchain")
        tree = BROKEN_PLUGINS if name.startswith("broken-") else HIGRESS_PLUGINS
        return self._module(name, compile_go, tree / GO_PLUGINS / name)

    def rust(self, name: str) -> Path:
        """Return the module of a Rust plugin of the examples."""
        if not has_rust():
            pytest.skip(f"no cargo with {RUST_TARGET} on this machine: the container tests build this plugin")
        return self._module(name, compile_rust, HIGRESS_PLUGINS / RUST_PLUGINS / name)

    def _module(
        self, name: str, compile_plugin: Callable[[Path, Path], subprocess.CompletedProcess[str]], source: Path
    ) -> Path:
        module = self._folder / f"{name}.wasm"
        if not module.exists():
            done = compile_plugin(source, module)
            assert done.returncode == 0, done.stderr
        return module


@pytest.fixture(scope="session")
def compiled_plugins(tmp_path_factory: pytest.TempPathFactory) -> CompiledPlugins:
    """Give the modules of the example plugins, compiled on this machine."""
    return CompiledPlugins(tmp_path_factory.mktemp("modules"))


@pytest.fixture(scope="session")
def envoy() -> Envoy:
    """Give a real Envoy."""
    found = find_envoy()
    if found is None:
        miss("Envoy")
    return found
