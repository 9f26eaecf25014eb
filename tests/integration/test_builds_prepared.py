"""A plugin's own script that installs or downloads: a layer of the builder's image, where the site allows it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pluginyard.builds import PluginScript
from pluginyard.errors import BuildError
from tests.machine.builds import FOLDER, GO_PLUGIN, Bench, shell_builder

MODULE = '"$HOME/../out/plugin.wasm"'
SECRET = "pass-4711-word"
EMBEDDING = {
    **GO_PLUGIN,
    "main.go": 'package main\n\nimport _ "embed"\n\n//go:embed made.bin\nvar made []byte\n\nfunc main() {}\n',
}


@pytest.fixture
def served(bench: Bench) -> Iterator[tuple[str, list[str]]]:
    """Serve one file where containers with network reach this machine; give its address, and what was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"made")

        def log_message(self, *_: object) -> None:
            pass

    host = bench.engine.client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    with http.server.ThreadingHTTPServer((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{host}:{server.server_port}/{bench.run_id}", asked
        server.shutdown()


def download(address: str) -> str:
    """Return a script that downloads with what Debian's smallest image has."""
    host, _, path = address.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    request = f"GET /{path} HTTP/1.0\\r\\n\\r\\n"
    return (
        f"#!/bin/bash\nset -e\n# stands in for: curl -sSLo made.bin {address}\n: curl\nexec 3<>/dev/tcp/{name}/{port}\n"
        f"printf '{request}' >&3\nsed '1,/^\\r$/d' <&3 > made.bin\n[ -s made.bin ]\n"
    )


def build(bench: Bench, script: str, builder: Any = "go", name: str = "prepare.sh", **options: Any) -> Any:
    files = options.pop("files", EMBEDDING) | {name: script}
    own = PluginScript(FOLDER, name, script.encode())
    return bench.build(builder, files, script=own, **options)


def test_what_a_script_downloads_reaches_the_compiler_and_is_kept(bench: Bench, served: tuple[str, list[str]]) -> None:
    address, asked = served
    script = download(address)
    with pytest.raises(BuildError, match=r"is not there: made\.bin") as raised:
        build(bench, script)
    assert "prepare.sh was not run and may make it" in raised.value.remedy
    assert asked == []
    allowed = bench.allowing(allow_prebuild="network")
    assert build(allowed, script).size > 0
    changed = {**EMBEDDING, "more.go": "package main\n\nvar more = 1\n"}
    assert build(allowed, script, files=changed).size > 0
    assert len(asked) == 1, "the layer is kept by the hash of script and image"
    assert build(allowed, f"{script}# changed\n").size > 0
    assert len(asked) == 2


def test_a_script_installs_packages_for_the_compiler_and_for_nothing_else(bench: Bench) -> None:
    script = "apt-get update -q && apt-get install -q -y --no-install-recommends hello\n"
    look = "echo {}; command -v hello; id -u; true"
    builder = shell_builder(
        bench.site.base_images.get("*") or "debian:trixie-slim",
        f"{look.format('COMPILING')}; hello > {MODULE}",
        fetching=look.format("FETCHING"),
    )
    build(bench.allowing(allow_prebuild="network"), script, builder, ".prebuild", files={"main.sh": ""})
    assert (bench.folder / "plugin.wasm").read_bytes() == b"Hello, world!\n"
    fetching, _, compiling = bench.log.partition("COMPILING")
    assert "hello" not in fetching.partition("FETCHING")[2]
    assert "/usr/bin/hello" in compiling
    assert "65534" in compiling


def test_a_script_sees_no_password_and_nothing_of_the_plugin(
    bench: Bench, served: tuple[str, list[str]], tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text(f"machine git.example.com login ci password {SECRET}\n")
    look = "{ ls -A; env; ls -A /build ~/.netrc 2>&1; grep -rs pass-4711 /opt /root /tmp; } > seen || true\n"
    builder = shell_builder(bench.site.base_images.get("*") or "debian:trixie-slim", f"cat seen; mv seen {MODULE}")
    allowed = bench.allowing(allow_prebuild="network", netrc=str(tmp_path / "netrc"))
    files = {"main.sh": "", "source.txt": "of the plugin"}
    build(allowed, f"{download(served[0])}{look}", builder, files=files)
    seen = (bench.folder / "plugin.wasm").read_text()
    assert "prepare.sh" in seen
    for word in (SECRET, "source.txt", "NETRC", "git.example.com"):
        assert word not in seen


def test_a_script_that_fails_is_quoted_and_named(bench: Bench) -> None:
    script = f": curl {bench.run_id}\necho 'E: Unable to locate package nosuch' >&2\nexit 100\n"
    with pytest.raises(BuildError) as raised:
        build(bench.allowing(allow_prebuild="network"), script)
    first_line = "it failed in a layer of the builder's image (exit 100): E: Unable to locate package nosuch"
    assert raised.value.message.splitlines()[0] == first_line
    assert raised.value.subject == f"{FOLDER}/prepare.sh"
    assert not raised.value.transient


def test_a_script_that_takes_too_long_is_ended(bench: Bench) -> None:
    script = f": curl {bench.run_id}\nsleep 600\n"
    with pytest.raises(BuildError, match="longer than PLUGINYARD_BUILD_SECONDS"):
        build(bench.allowing(allow_prebuild="network", seconds=2), script)


def test_a_script_that_changes_the_toolchain_is_refused(bench: Bench) -> None:
    script = (
        f": curl {bench.run_id}\nprintf '#!/bin/sh\\necho go9.9\\n' > /usr/local/bin/go\nchmod 755 /usr/local/bin/go\n"
    )
    script += 'for found in $(which -a go); do [ "$found" = /usr/local/bin/go ] || mv "$found" "$found.old"; done\n'
    with pytest.raises(BuildError, match=r"it has go 9\.9, and the builder declares"):
        build(bench.allowing(allow_prebuild="network"), script)
