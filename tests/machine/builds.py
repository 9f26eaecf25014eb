"""Build small sources for tests: in containers of the real engine, and with toolchains of this machine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pluginyard.builds import Builder, BuiltModule, FileContent, load_builder, plan_recipe
from pluginyard.settings import Site
from pluginyard.sources import EXECUTABLE, REGULAR, SourceFile
from tasks.doors.builders import find_builders
from tasks.doors.containers import Engine, build_in_container, ensure_builder_image
from tests.machine.example_repository import HIGRESS_PLUGINS

FOLDER = "plugins/a plugin"
GO_MODULE = "module example.com/small\n\ngo 1.24\n"
GO_SOURCE = """package main

import "fmt"

func main() {}

//go:wasmexport add
func add(a, b int32) int32 {
	fmt.Println(a, b)
	return a + b
}
"""
GO_PLUGIN = {"go.mod": GO_MODULE, "main.go": GO_SOURCE}
RUST_PLUGIN = {
    "Cargo.toml": '[package]\nname = "a-small-one"\nversion = "0.1.0"\nedition = "2021"\n'
    '[lib]\ncrate-type = ["cdylib"]\n[workspace]\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "a-small-one"\nversion = "0.1.0"\n',
    "src/lib.rs": '#[no_mangle]\npub extern "C" fn add(a: i32, b: i32) -> i32 {\n'
    '    a.checked_add(b).expect("too much")\n}\n',
}


SourceContent = Sequence[FileContent]


def source_of(files: Mapping[str, str | bytes], *, folder: str = FOLDER, executable: bool = False) -> SourceContent:
    """Return `files` of the plugin in `folder` as a commit has them."""
    mode = EXECUTABLE if executable else REGULAR
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return [(SourceFile(f"{folder}/{name}", mode, ""), each) for name, each in contents.items()]


def source_of_examples() -> SourceContent:
    """Return the example repository as a commit has it."""
    found = (path for path in sorted(HIGRESS_PLUGINS.rglob("*")) if path.is_file() and "target" not in path.parts)
    return [
        (SourceFile(path.relative_to(HIGRESS_PLUGINS).as_posix(), REGULAR, ""), path.read_bytes()) for path in found
    ]


def shell_builder(base_image: str, compiling: str, *, fetching: str = "", name: str = "shell") -> Builder:
    """Return a builder whose toolchain is the shell: what it runs is what a hostile plugin could run."""
    definition: dict[str, Any] = {
        "toolchain": {"name": "sh", "version": "1.0", "version_command": ["echo", "1.0"]},
        "manifest": "main.sh",
        "image": {"ready": base_image},
        "host": {"binary": "sh", "minimum": "0"},
        "compile": {"commands": [["sh", "-c", compiling]], "output": "{work}/out/plugin.wasm"},
    }
    if fetching:
        definition["fetch"] = {"commands": [["sh", "-c", fetching]]}
    return load_builder(name, {"builder.yaml": json.dumps(definition).encode()})


@dataclass
class Bench:
    """Build with one engine, site and folder of a test; what was logged is kept."""

    engine: Engine
    site: Site
    folder: Path
    run_id: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex}")
    logged: list[str] = field(default_factory=list)
    builders: Mapping[str, Builder] = field(default_factory=find_builders)

    @property
    def log(self) -> str:
        """Return everything that was logged."""
        return "\n".join(self.logged)

    def allowing(self, **settings: Any) -> Bench:
        """Return the bench with other settings of the site."""
        return replace(self, site=self.site.model_copy(update=settings), logged=self.logged)

    def build(
        self,
        builder: Builder | str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        source: SourceContent | None = None,
        folder: str = FOLDER,
        log: Callable[[str], None] | None = None,
        target: str = "plugin.wasm",
        **planning: Any,
    ) -> BuiltModule:
        """Build `files` (or what `source` holds in `folder`) and return the module."""
        chosen = self.builders[builder] if isinstance(builder, str) else builder
        content = source or source_of(files or {"main.sh": ""}, folder=folder)
        recipe = plan_recipe(chosen, plugin_folder=folder, site=self.site, **planning)
        fetches = recipe.fetch is not None
        image = ensure_builder_image(
            self.engine, chosen, self.site, self.logged.append, fetches=fetches, script=recipe.layer_script
        )
        return build_in_container(
            self.engine,
            image,
            recipe,
            content,
            self.folder / target,
            source_bytes=sum(len(each) for _, each in content),
            run_id=self.run_id,
            log=log or self.logged.append,
        )

    def shell(self, compiling: str, *, fetching: str = "", **options: Any) -> BuiltModule:
        """Build with the shell as toolchain, so that `compiling` is what the plugin does."""
        base = self.site.base_images.get("*") or "debian:trixie-slim"
        return self.build(shell_builder(base, compiling, fetching=fetching), **options)

    def left(self) -> list[str]:
        """Return what of this bench's run is on the engine."""
        marked = {"label": f"io.pluginyard.run={self.run_id}"}
        containers = self.engine.client.containers(all=True, filters=marked)
        volumes = self.engine.client.volumes(filters=marked)["Volumes"] or []
        return [*(each["Names"][0] for each in containers), *(each["Name"] for each in volumes)]


@pytest.fixture
def bench(engine: Engine, build_site: Site, tmp_path: Path) -> Bench:
    """Give a bench on the real engine."""
    return Bench(engine, build_site, tmp_path)
