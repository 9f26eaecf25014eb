"""Where a Rust plugin takes its crates from, in its own words: a mirror, or a folder of the repository."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pluginyard.errors import BuildError
from tests.machine.builds import RUST_PLUGIN, Bench
from tests.machine.example_repository import HIGRESS_PLUGINS

WASM = b"\0asm\x01\0\0\0"
CRATE = {
    "Cargo.toml": '[package]\nname = "tiny-sum"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": "pub fn sum(a: i32, b: i32) -> i32 {\n    a.wrapping_add(b)\n}\n",
}


def pack_crate(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tiny-sum-0.1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


PACKED = pack_crate(CRATE)
CHECKSUM = hashlib.sha256(PACKED).hexdigest()


def plugin(own_source: str) -> dict[str, str]:
    """Return a plugin with one dependency of the public registry, which it takes from `own_source`."""
    depends = 'dependencies = ["tiny-sum"]\n\n[[package]]\nname = "tiny-sum"\nversion = "0.1.0"\n'
    locked = (HIGRESS_PLUGINS / "plugins/wasm-rust/extensions/header-guard/Cargo.lock").read_text()
    crates_io = next(line for line in locked.splitlines(keepends=True) if line.startswith("source = "))  # cargo's name
    return {
        **RUST_PLUGIN,
        "Cargo.toml": RUST_PLUGIN["Cargo.toml"] + '[dependencies]\ntiny-sum = "0.1"\n',
        "Cargo.lock": f'{RUST_PLUGIN["Cargo.lock"]}{depends}{crates_io}checksum = "{CHECKSUM}"\n',
        "src/lib.rs": '#[no_mangle]\npub extern "C" fn sum(a: i32) -> i32 {\n    tiny_sum::sum(a, a)\n}\n',
        ".cargo/config.toml": f'[source.crates-io]\nreplace-with = "own"\n[source.own]\n{own_source}\n',
    }


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(bench: Bench, tmp_path: Path) -> Iterator[str]:
    """Serve the crate as a sparse registry where containers with network reach this machine; give its address."""
    host = bench.engine.client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    served = functools.partial(_Quiet, directory=str(tmp_path / "mirror"))
    with http.server.ThreadingHTTPServer((host, 0), served) as server:
        address = f"http://{host}:{server.server_port}"
        entry = {"name": "tiny-sum", "vers": "0.1.0", "deps": [], "cksum": CHECKSUM, "features": {}, "yanked": False}
        files = {"config.json": json.dumps({"dl": f"{address}/{{crate}}.crate"}).encode(), "tiny-sum.crate": PACKED}
        for name, content in {**files, "ti/ny/tiny-sum": json.dumps(entry).encode() + b"\n"}.items():
            (tmp_path / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mirror" / name).write_bytes(content)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"sparse+{address}/"
        server.shutdown()


def test_a_crate_that_only_a_build_script_needs_on_the_building_machine_is_fetched_too(
    bench: Bench, mirror: str
) -> None:
    files = plugin(f'registry = "{mirror}"')
    files["Cargo.toml"] = files["Cargo.toml"].replace("[dependencies]", "[target.'cfg(unix)'.build-dependencies]")
    files["build.rs"] = 'fn main() {\n    println!("cargo:warning=sum={}", tiny_sum::sum(40, 2));\n}\n'
    files["src/lib.rs"] = RUST_PLUGIN["src/lib.rs"]
    assert bench.build("rust", files).size > 0
    assert "sum=42" in bench.log


def test_the_sites_mirror_serves_a_plugin_that_names_none(bench: Bench, mirror: str) -> None:
    files = plugin("")
    del files[".cargo/config.toml"]
    assert bench.allowing(fetch_environment={"CARGO_SOURCE_MIRROR": mirror}).build("rust", files).size > 0
    assert "pluginyard-mirror" in bench.log


def test_a_plugin_that_names_a_mirror_is_fetched_from_there_and_compiled_offline(bench: Bench, mirror: str) -> None:
    built = bench.build("rust", plugin(f'registry = "{mirror}"'))
    assert Path(built.path).read_bytes().startswith(WASM)
    assert "registry `own`" in bench.log


@pytest.mark.parametrize("with_git", ["", "true"], ids=["by cargo itself", "by git"])
def test_a_git_dependency_whose_host_has_no_address_is_named_and_not_tried_again(bench: Bench, with_git: str) -> None:
    address, commit = "https://git.nosuch.invalid/tiny.git", "0123456789abcdef0123456789abcdef01234567"
    locked = (
        f'dependencies = ["tiny"]\n\n[[package]]\nname = "tiny"\nversion = "0.1.0"\nsource = "git+{address}#{commit}"'
    )
    files = {
        **RUST_PLUGIN,
        "Cargo.toml": RUST_PLUGIN["Cargo.toml"] + f'[dependencies]\ntiny = {{ git = "{address}" }}\n',
        "Cargo.lock": f"{RUST_PLUGIN['Cargo.lock']}{locked}\n",
    }
    chosen = bench.allowing(fetch_environment={"CARGO_NET_GIT_FETCH_WITH_CLI": with_git} if with_git else {})
    with pytest.raises(BuildError, match=r"the host git\.nosuch\.invalid of a git dependency") as raised:
        chosen.build("rust", files)
    assert not raised.value.transient


def test_a_plugin_with_vendored_crates_asks_no_registry(bench: Bench) -> None:
    vendored = {f"vendor/tiny-sum/{name}": text for name, text in CRATE.items()}
    vendored["vendor/tiny-sum/.cargo-checksum.json"] = json.dumps({"files": {}, "package": CHECKSUM})
    unreachable = bench.allowing(fetch_environment={"CARGO_SOURCE_MIRROR": "sparse+http://127.0.0.1:9/"})
    built = unreachable.build("rust", plugin('directory = "vendor"') | vendored)
    assert Path(built.path).read_bytes().startswith(WASM)
    with pytest.raises(BuildError, match=r"vendored crates .* are not in the repository"):
        unreachable.build("rust", plugin('directory = "vendor"'))
