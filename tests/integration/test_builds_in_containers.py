from __future__ import annotations

import dataclasses
import io
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pluginyard.builds import BuiltModule, container_config, load_builder, plan_recipe
from pluginyard.errors import BuildError
from pluginyard.oci import digest_of
from tasks.doors.containers import build_in_container, ensure_builder_image
from tasks.doors.containers.running import run_step
from tests.machine.builds import FOLDER, GO_PLUGIN, RUST_PLUGIN, Bench, source_of, source_of_examples
from tests.machine.faulty_proxy import Fault, FaultyProxy

NEIGHBOUR_LOCK = '[[package]]\nname = "neighbour"\nversion = "0.1.0"\n'
WASM = b"\0asm\x01\0\0\0"
EXAMPLES = [
    ("go", "plugins/wasm-go/extensions/request-block"),
    ("go", "plugins/wasm-go/extensions/sdk-headers"),
    ("go", "plugins/wasm-go/extensions/shared-rules"),
    ("go", "plugins/wasm-go/extensions/prompt-embed"),
    ("rust", "plugins/wasm-rust/extensions/header-guard"),
]


@pytest.mark.parametrize(("builder", "folder"), EXAMPLES)
def test_an_example_plugin_builds(bench: Bench, builder: str, folder: str) -> None:
    built = bench.build(builder, source=source_of_examples(), folder=folder)
    content = Path(built.path).read_bytes()
    assert content.startswith(WASM)
    assert (built.digest, built.size, built.kind) == (digest_of(content), len(content), "container")
    assert bench.left() == []


def test_a_rust_plugin_without_dependencies_builds_offline(bench: Bench) -> None:
    built = bench.build("rust", RUST_PLUGIN, needs_fetch=False)
    assert Path(built.path).read_bytes().startswith(WASM)
    assert built.toolchain == "rust 1.85.1"


def test_a_module_holds_no_path_of_the_build(bench: Bench) -> None:
    files = {f"a plugin/{name}": text for name, text in RUST_PLUGIN.items()}
    files["a plugin/Cargo.toml"] += '[dependencies]\nneighbour = { path = "../neighbour" }\n'
    files["a plugin/Cargo.lock"] = RUST_PLUGIN["Cargo.lock"] + 'dependencies = ["neighbour"]\n\n' + NEIGHBOUR_LOCK
    files["a plugin/src/lib.rs"] = RUST_PLUGIN["src/lib.rs"].replace("a.checked_add(b)", "neighbour::add(a, b)")
    files["neighbour/Cargo.toml"] = '[package]\nname = "neighbour"\nversion = "0.1.0"\nedition = "2021"\n'
    files["neighbour/src/lib.rs"] = (
        "#[inline(never)]\npub fn add(a: i32, b: i32) -> Option<i32> {\n"
        '    if b == 7 { panic!("never {}", a) }\n    a.checked_add(b)\n}\n'
    )
    rust = Path(bench.build("rust", source=source_of(files, folder="plugins"), needs_fetch=False).path).read_bytes()
    assert b"plugins/neighbour/src/lib.rs" in rust
    go = Path(bench.build("go", GO_PLUGIN, needs_fetch=False).path).read_bytes()
    for content in (rust, go):
        assert b"/build/" not in content
        assert b"/build/" not in content


def test_a_warm_plugin_without_dependencies_takes_little_beside_its_compiler(bench: Bench) -> None:
    bench.build("go", GO_PLUGIN, needs_fetch=False)
    taken = []
    for number in range(5):
        files = {**GO_PLUGIN, "more.go": f"package main\n\nvar number = {number}\n"}
        started = time.monotonic()
        bench.build("go", files, needs_fetch=False)
        taken.append(time.monotonic() - started)
    assert min(taken) < 2, taken


class TestSameBytes:
    def test_whatever_the_order_of_the_source(self, bench: Bench) -> None:
        turned = dict(reversed(GO_PLUGIN.items()))
        digests = {bench.build("go", each, needs_fetch=False).digest for each in (GO_PLUGIN, turned)}
        assert len(digests) == 1

    def test_with_a_cold_a_private_and_a_shared_cache(self, bench: Bench, tmp_path: Path) -> None:
        warm = bench.build("go", GO_PLUGIN, needs_fetch=False).digest
        shared = [
            bench.allowing(build_cache="shared").build("go", GO_PLUGIN, needs_fetch=False).digest for _ in range(2)
        ]
        assert {warm, *shared, self.cold(bench, tmp_path)} == {warm}

    @staticmethod
    def cold(bench: Bench, tmp_path: Path) -> str:
        go = bench.builders["go"]
        image = ensure_builder_image(bench.engine, go, bench.site, bench.logged.append)
        unwarmed = dataclasses.replace(go, files={**go.files, "warm.sh": b'mkdir -p "$GOCACHE"\n'})
        recipe = plan_recipe(unwarmed, plugin_folder=FOLDER, site=bench.site, needs_fetch=False)
        started = time.monotonic()
        built = build_in_container(
            bench.engine,
            image,
            recipe,
            source_of(GO_PLUGIN),
            tmp_path / "cold.wasm",
            source_bytes=0,
            run_id=bench.run_id,
            log=bench.logged.append,
        )
        assert time.monotonic() - started > 2, "it was not cold"
        return built.digest

    def test_twice_in_rust(self, bench: Bench) -> None:
        assert len({bench.build("rust", RUST_PLUGIN, needs_fetch=False).digest for _ in range(2)}) == 1


NAMES = {f"{'deep/' * 30}ein-sehr-tiefer-Ort.txt": "deep\n", "größe 中文.txt": "wide", "main.sh": ""}


@pytest.mark.parametrize("way", ["in memory", "on a volume"])
def test_the_compiler_finds_every_file_however_it_is_handed_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "on a volume":
        monkeypatch.setattr("pluginyard.builds.sandbox.MEMORY_CONTEXT", 0)
    deepest = max(NAMES, key=len)
    look = f"find . -type f | sort; cat '{deepest}'; stat -f -c %T ."
    bench.shell(f'{look}; echo x > "$HOME/../out/plugin.wasm"', files=NAMES)
    *found, content, kind = bench.log.splitlines()
    assert sorted(found) == sorted(f"./{name}" for name in NAMES)
    assert content == "deep"
    assert (kind == "tmpfs") == (way == "in memory")


def test_a_container_that_does_not_read_what_it_is_sent_says_how_it_ended(bench: Bench) -> None:
    base = bench.site.base_images.get("*") or "debian:trixie-slim"
    config = container_config(
        engine_cpus=bench.engine.cpus,
        image=base,
        script="exit 3",
        environment={},
        site=bench.site,
        streamed=True,
        run_id=bench.run_id,
    )
    name = f"unread-{bench.run_id}"
    bench.engine.client.create_container_from_config(config, name)
    try:
        ended = run_step(bench.engine, name, 60, bench.logged.append, send=lambda: io.BytesIO(bytes(8 << 20)))
    finally:
        bench.engine.client.remove_container(name, force=True)
    assert (ended.exit_code, ended.expired) == (3, False)


def test_two_builds_at_once_do_not_meet(bench: Bench) -> None:
    other = {**GO_PLUGIN, "main.go": GO_PLUGIN["main.go"].replace("a + b", "a - b")}
    barrier = threading.Barrier(2)

    def build(number: int, files: dict[str, str]) -> BuiltModule:
        barrier.wait()
        return bench.build("go", files, needs_fetch=False, target=f"{number}.wasm")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(build, range(2), (GO_PLUGIN, other))
    assert first.digest != second.digest
    assert bench.build("go", GO_PLUGIN, needs_fetch=False).digest == first.digest


def test_a_private_cache_is_gone_with_its_build(bench: Bench) -> None:
    bench.shell('echo poison > "$HOME/../cache/left"; echo x > "$HOME/../out/plugin.wasm"')
    bench.shell('ls -A "$HOME/../cache"; echo x > "$HOME/../out/plugin.wasm"')
    assert "left" not in bench.log


def test_a_shared_cache_is_what_the_next_build_finds(bench: Bench) -> None:
    sharing = bench.allowing(build_cache="shared")
    sharing.shell('echo kept > "$HOME/../cache/left"; echo x > "$HOME/../out/plugin.wasm"')
    sharing.shell('ls -A "$HOME/../cache"; echo x > "$HOME/../out/plugin.wasm"')
    assert "left" in bench.log
    for volume in bench.engine.client.volumes(filters={"label": "io.pluginyard.shared=shell"})["Volumes"]:
        bench.engine.client.remove_volume(volume["Name"])


def test_a_new_toolchain_is_a_folder_and_no_python(bench: Bench, tmp_path: Path) -> None:
    from tasks.doors.builders import find_builders

    folder = tmp_path / "builders" / "copy"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE=debian:trixie\nFROM ${BASE_IMAGE}\nARG VERSION=2.5\nARG RUSTUP_DIST_SERVER\n"
        'RUN [ "${RUSTUP_DIST_SERVER}" = https://mirror.example.com ] && [ -z "${GOPROXY+set}" ]\n'
        "RUN echo copy ${VERSION} > /version\n"
    )
    (folder / "compile.sh").write_text('cp "$1" "$2"\n')
    (folder / "builder.yaml").write_text(
        "toolchain: {name: copy, version: '2.5', version_command: [cat, /version], version_pattern: 'copy (.+)'}\n"
        "manifest: module.bin\n"
        "image: {base: 'debian:trixie'}\n"
        "compile:\n"
        "  commands: [[sh, '{work}/builder/compile.sh', module.bin, '{work}/out/plugin.wasm']]\n"
        "  output: '{work}/out/plugin.wasm'\n"
    )
    builder = find_builders(str(tmp_path / "builders"))["copy"]
    mirrors = {"RUSTUP_DIST_SERVER": "https://mirror.example.com", "GOPROXY": "https://mirror.example.com"}
    built = bench.allowing(fetch_environment=mirrors).build(builder, {"module.bin": WASM})
    assert Path(built.path).read_bytes() == WASM
    assert built.toolchain == "copy 2.5"


def test_a_build_that_fetches_nothing_waits_for_no_more_than_its_stage(bench: Bench) -> None:
    looking = 'od -An -tx1 /made; ls /whole; echo x > "$HOME/../out/plugin.wasm"'
    definition = {
        "toolchain": {"name": "sh", "version": "1.0", "version_command": ["echo", "1.0"]},
        "manifest": "main.sh",
        "image": {"base": bench.site.base_images.get("*") or "debian:trixie-slim", "alone": "small"},
        "fetch": {"commands": [["true"]]},
        "compile": {"commands": [["sh", "-c", looking]], "output": "{work}/out/plugin.wasm"},
    }
    dockerfile = (
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS small\nRUN head -c 16 /dev/urandom > /made\n"
        "FROM small\nRUN touch /whole\n"
        f"# {bench.run_id}: nobody has this image\n"
    )
    builder = load_builder(
        "staged", {"builder.yaml": json.dumps(definition).encode(), "Dockerfile": dockerfile.encode()}
    )

    def built_in(**planning: Any) -> tuple[str, bool]:
        bench.logged.clear()
        bench.build(builder, **planning)
        made = next(line for line in bench.log.splitlines() if re.fullmatch(r"( [0-9a-f]{2}){16}", line))
        return made, "/whole" in bench.log.splitlines()

    made, whole = built_in(needs_fetch=False)
    assert not whole
    assert built_in(needs_fetch=True) == (made, True), "the whole begins with the steps of the stage"
    assert built_in(needs_fetch=False) == (made, True), "where the whole is, it serves both"


def test_an_image_with_another_toolchain_than_declared_is_refused(bench: Bench) -> None:
    lying = bench.allowing(versions={"go": "1.24.99"})
    image = ensure_builder_image(bench.engine, bench.builders["go"], bench.site, bench.logged.append)
    lying = lying.allowing(images={"go": image.digest})
    with pytest.raises(BuildError, match=r"it has go 1\.24\.4, and the builder declares 1\.24\.99"):
        lying.build("go", GO_PLUGIN)


def test_an_image_that_cannot_be_had_is_told_with_the_settings_that_name_another(bench: Bench) -> None:
    with pytest.raises(BuildError) as raised:
        bench.allowing(base_images={"go": "127.0.0.1:1/none/such:1"}).build("go", GO_PLUGIN)
    assert "127.0.0.1:1/none/such:1" in str(raised.value)
    assert "PLUGINYARD_BASE_IMAGE" in raised.value.remedy


@pytest.mark.parametrize(("status", "transient"), [(503, True), (429, True), (403, False)])
@pytest.mark.parametrize("setting", ["images", "base_images"])
def test_an_image_whose_registry_is_busy_is_worth_another_try(
    bench: Bench, status: int, transient: bool, setting: str
) -> None:
    with FaultyProxy("127.0.0.1:1") as registry:
        registry.fail(Fault("status", times=99, status=status))
        asked = bench.allowing(**{setting: {"go": f"{registry.host}/builders/go:{status}"}})
        with pytest.raises(BuildError) as raised:
            asked.build("go", GO_PLUGIN)
    assert raised.value.transient is transient, str(raised.value)


def test_a_dockerfile_that_fails_is_quoted(bench: Bench) -> None:
    go = bench.builders["go"]
    dockerfile = b"ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS alone\nRUN echo why; exit 3\n"
    broken = load_builder("broken", {**go.files, "Dockerfile": dockerfile})
    with pytest.raises(BuildError, match="why"):
        bench.build(broken, GO_PLUGIN)
