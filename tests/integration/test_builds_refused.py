from __future__ import annotations

import time

import pytest

from pluginyard.builds import PluginScript
from pluginyard.errors import BuildError, ConfigurationError
from tests.machine.builds import FOLDER, GO_MODULE, GO_PLUGIN, RUST_PLUGIN, Bench

MODULE = '"$HOME/../out/plugin.wasm"'
NEEDS_UUID = GO_PLUGIN["main.go"].replace('import "fmt"', 'import (\n\t"fmt"\n\t_ "github.com/google/uuid"\n)')
REQUIRES_UUID = GO_MODULE + "\nrequire github.com/google/uuid v1.6.0\n"
GO_FAULTS = {
    "no package main": ({"main.go": "package small\n"}, "no package main"),
    "no func main": ({"main.go": "package main\n"}, "no func main"),
    "no Go file": ({"main.go": "", "x.txt": ""}, "no Go file|expected 'package'"),
    "only for another system": ({"main.go": "//go:build windows\n\npackage main\n\nfunc main() {}\n"}, "no Go file"),
    "a fault in the source": ({"main.go": "package main\n\nfunc main() { missing() }\n"}, "undefined: missing"),
    "a newer Go": ({"go.mod": "module x\n\ngo 1.99.0\n"}, "asks for Go 1.99"),
    "an import that go.mod does not know": ({"main.go": NEEDS_UUID}, "not tidy"),
    "no go.sum": ({"go.mod": REQUIRES_UUID, "main.go": NEEDS_UUID}, "not tidy"),
}


@pytest.mark.parametrize(("files", "told"), GO_FAULTS.values(), ids=GO_FAULTS)
@pytest.mark.parametrize("fetching", [True, False], ids=["with network", "offline"])
def test_a_faulty_go_plugin_is_told_in_words(bench: Bench, files: dict[str, str], told: str, fetching: bool) -> None:
    with pytest.raises(BuildError, match=told) as raised:
        bench.build("go", {**GO_PLUGIN, **files}, needs_fetch=fetching)
    assert raised.value.remedy
    assert raised.value.subject == "plugins/a plugin"
    assert bench.left() == []


def test_a_setting_tidies_as_the_old_workflow_did(bench: Bench) -> None:
    files = {**GO_PLUGIN, "go.mod": REQUIRES_UUID, "main.go": NEEDS_UUID}
    assert bench.build("go", files, tidy=True).size > 0


RUST_FAULTS = {
    "no lock": ({"Cargo.lock": None}, "Cargo.lock is missing or out of date"),
    "no library": ({"src/lib.rs": None, "src/main.rs": "fn main() {}\n"}, "no library target|no wasm file"),
    "no cdylib": ({"Cargo.toml": RUST_PLUGIN["Cargo.toml"].replace('"cdylib"', '"rlib"')}, "no cdylib"),
    "a fault in the source": ({"src/lib.rs": "fn f() { missing() }\n"}, "cannot find function `missing`"),
}


@pytest.mark.parametrize(("files", "told"), RUST_FAULTS.values(), ids=RUST_FAULTS)
def test_a_faulty_rust_plugin_is_told_in_words(bench: Bench, files: dict[str, str | None], told: str) -> None:
    together = {name: text for name, text in {**RUST_PLUGIN, **files}.items() if text is not None}
    with pytest.raises(BuildError, match=told):
        bench.build("rust", together, needs_fetch=False)


OUTPUTS = {
    "nothing": ("true", "is missing"),
    "a link out": (f"ln -s /etc/shadow {MODULE}", "is a link to /etc/shadow"),
    "a link to a module": (f'echo x > other; ln -s "$PWD/other" {MODULE}', "is a link"),
    "a folder": (f"mkdir {MODULE}", "is a folder"),
    "a pipe": (f"mkfifo {MODULE}", "is no regular file"),
    "too large": (f"truncate -s 257M {MODULE}", "is 269484032 bytes long"),
}


@pytest.mark.parametrize(("script", "told"), OUTPUTS.values(), ids=OUTPUTS)
def test_what_is_no_module_is_not_taken_out(bench: Bench, script: str, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        bench.shell(script)
    assert not (bench.folder / "plugin.wasm").exists()
    assert list(bench.folder.iterdir()) == []
    assert bench.left() == []


def test_a_failed_build_leaves_an_earlier_module_as_it_was(bench: Bench) -> None:
    (bench.folder / "plugin.wasm").write_bytes(b"earlier")
    with pytest.raises(BuildError):
        bench.shell(f"mkdir {MODULE}")
    assert (bench.folder / "plugin.wasm").read_bytes() == b"earlier"


def test_a_build_that_takes_too_long_is_ended(bench: Bench) -> None:
    bench.shell(f"echo x > {MODULE}")
    started = time.monotonic()
    with pytest.raises(BuildError, match="took longer than 2 s") as raised:
        bench.allowing(seconds=2).shell("trap '' TERM INT; echo began; sleep 600")
    assert time.monotonic() - started < 12
    assert "PLUGINYARD_BUILD_SECONDS" in raised.value.remedy
    assert "began" in bench.log
    assert bench.left() == []


def test_a_fetch_step_that_takes_too_long_is_ended(bench: Bench) -> None:
    with pytest.raises(BuildError, match="the fetch step took longer than 2 s"):
        bench.allowing(seconds=2).shell("true", fetching="sleep 600")


def test_a_build_that_takes_too_much_memory_is_told_so(bench: Bench) -> None:
    with pytest.raises(BuildError, match="64 MiB of memory") as raised:
        bench.allowing(memory=64).shell("head -c 200M /dev/zero | tail -c 190M > /dev/null")
    assert "PLUGINYARD_BUILD_MEMORY" in raised.value.remedy


def test_a_compiler_that_the_kernel_ends_is_told_so(bench: Bench) -> None:
    with pytest.raises(BuildError, match="of memory"):
        bench.allowing(memory=32).build("go", GO_PLUGIN, needs_fetch=False)


def test_a_build_cannot_start_processes_without_end(bench: Bench) -> None:
    with pytest.raises(BuildError, match="did not compile"):
        bench.allowing(processes=20).shell(f"for i in $(seq 100); do sleep 5 & done; echo x > {MODULE}")


def test_a_prebuild_runs_only_where_the_site_allows_it(bench: Bench) -> None:
    files = {**GO_PLUGIN, "main.go": GO_PLUGIN["main.go"] + "\nvar _ = generated\n"}
    files[".prebuild"] = "id; echo 'package main' > made.go; echo 'const generated = 1' >> made.go\n"
    script = PluginScript(FOLDER, ".prebuild", files[".prebuild"].encode())
    with pytest.raises(ConfigurationError, match="does not allow it"):
        bench.build("go", files, script=script, needs_fetch=False)
    bench.allowing(allow_prebuild=True).build("go", files, script=script, needs_fetch=False)
    assert "uid=65534" in bench.log


def test_a_buildrc_chooses_files_by_tag(bench: Bench) -> None:
    files = {**GO_PLUGIN, "broken.go": "//go:build extra\n\npackage main\n\nvar _ = missing\n"}
    bench.build("go", files, needs_fetch=False)
    with pytest.raises(BuildError, match="undefined: missing"):
        bench.build("go", files, needs_fetch=False, buildrc="EXTRA_TAGS=extra\n")
