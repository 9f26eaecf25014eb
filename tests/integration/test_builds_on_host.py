from __future__ import annotations

import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pluginyard.builds import Builder, BuiltModule, plan_recipe
from pluginyard.errors import BuildError, FetchUnavailableError, SourceError
from pluginyard.settings import Site, load_site
from tasks.doors.builders import find_builders
from tasks.doors.toolchains import HostToolchain, build_on_host, find_toolchain
from tests.machine.builds import FOLDER, GO_PLUGIN, RUST_PLUGIN, shell_builder, source_of, source_of_examples
from tests.machine.certificates import make_certificate
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.host_toolchains import miss

WASM = b"\0asm\x01\0\0\0"
SECRET = "pass-4711-word"
DONE = 'echo x > "$HOME/../out/plugin.wasm"'


@dataclass
class Host:
    """Build on this machine; what was logged is kept."""

    folder: Path
    warm: Path
    site: Site
    logged: list[str]

    def build(self, builder: Builder | str, files: dict[str, str], **options: Any) -> BuiltModule:
        source = options.pop("source", None) or source_of(files)
        chosen = find_builders()[builder] if isinstance(builder, str) else builder
        toolchain = find_toolchain(chosen) or miss(f"a toolchain for {chosen.name}")
        recipe = plan_recipe(chosen, plugin_folder=options.pop("folder", FOLDER), site=self.site, **options)
        target = self.folder / "plugin.wasm"
        return build_on_host(toolchain, recipe, source, target, log=self.logged.append, workdir=self.warm)

    def allowing(self, **settings: Any) -> Host:
        return replace(self, site=self.site.model_copy(update=settings))

    def shell(self, compiling: str) -> BuiltModule:
        return self.build(shell_builder("none", compiling), {"main.sh": ""}, needs_fetch=False)

    @property
    def log(self) -> str:
        return "\n".join(self.logged)

    def left(self) -> list[str]:
        return [each.name for each in self.warm.glob("build-*")]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warm")


@pytest.fixture
def host(tmp_path: Path, warm: Path) -> Host:
    names = ("GOPROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
    return Host(tmp_path, warm, load_site({name: os.environ[name] for name in names if name in os.environ}), [])


def test_the_toolchain_of_the_python_environment_comes_first() -> None:
    found = find_toolchain(find_builders()["go"]) or miss("a Go toolchain")
    assert "site-packages" in found.folder
    printed = subprocess.run([f"{found.folder}/bin/go", "version"], capture_output=True, text=True, check=True).stdout
    assert f"go{found.version} " in printed


def test_a_toolchain_on_the_path_will_do_if_it_is_not_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.distribution", no_distribution)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    for version, told in (("1.25.1", "1.25.1"), ("1.24", "1.24"), ("1.23.9", ""), ("", "")):
        fake_go(tmp_path, version)
        found = find_toolchain(find_builders()["go"])
        assert (found.version if found else "") == told


def no_distribution(name: str) -> None:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def fake_go(folder: Path, version: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    text = f'#!/bin/sh\ncase "$2" in GOROOT) echo {folder};; GOVERSION) echo go{version};; esac\n'
    (folder / "bin" / "go").write_text(text)
    (folder / "bin" / "go").chmod(0o755)


def test_a_go_plugin_builds_on_the_host_and_says_so(host: Host) -> None:
    built = host.build("go", GO_PLUGIN, needs_fetch=False)
    assert Path(built.path).read_bytes().startswith(WASM)
    assert built.kind == "host"
    assert built.toolchain.startswith("go 1.")
    assert host.left() == []


def test_a_go_plugin_on_the_real_sdk_builds_on_the_host(host: Host) -> None:
    folder = "plugins/wasm-go/extensions/sdk-headers"
    built = host.build("go", {}, source=source_of_examples(), folder=folder)
    assert Path(built.path).read_bytes().startswith(WASM)


def test_a_rust_plugin_builds_on_the_host(host: Host) -> None:
    # No package index has Rust for the host, and a user's own toolchain is not ours to change: the builds in
    # containers prove the builder everywhere, this one where a toolchain for the target is at hand.
    toolchain = find_toolchain(find_builders()["rust"])
    if toolchain is None or not (Path(toolchain.folder) / "lib/rustlib/wasm32-wasip1").exists():
        pytest.skip("this machine has no Rust for wasm32-wasip1; the container tests build the same plugin")
    assert Path(host.build("rust", RUST_PLUGIN, needs_fetch=False).path).read_bytes().startswith(WASM)


def test_two_folders_and_two_caches_give_the_same_bytes(host: Host, tmp_path: Path) -> None:
    first = host.build("go", GO_PLUGIN, needs_fetch=False)
    elsewhere = replace(host, warm=tmp_path / "quite" / "another one")
    assert elsewhere.build("go", GO_PLUGIN, needs_fetch=False).digest == first.digest


REFUSALS = {
    "no package main": ({"main.go": "package small\n"}, "no package main"),
    "a newer Go": ({"go.mod": "module x\n\ngo 1.99.0\n"}, "asks for Go 1.99"),
    "untidy": ({"main.go": 'package main\n\nimport _ "a.example/b"\n\nfunc main() {}\n'}, "not tidy"),
    "a mistyped import": ({"main.go": 'package main\n\nimport _ "fmtt"\n\nfunc main() {}\n'}, "no package fmtt"),
    "a fault": ({"main.go": "package main\n\nfunc main() { missing() }\n"}, "undefined: missing"),
}


@pytest.mark.parametrize(("files", "told"), REFUSALS.values(), ids=REFUSALS)
def test_the_host_refuses_as_a_container_does(host: Host, files: dict[str, str], told: str) -> None:
    with pytest.raises(BuildError, match=told):
        host.build("go", {**GO_PLUGIN, **files}, needs_fetch=False)
    assert host.left() == []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("true", "is missing"),
        ('ln -s /etc/shadow "$HOME/../out/plugin.wasm"', "no regular file"),
        ('mkdir "$HOME/../out/plugin.wasm"', "no regular file"),
        ('mkfifo "$HOME/../out/plugin.wasm"', "no regular file"),
        ('truncate -s 257M "$HOME/../out/plugin.wasm"', "269484032 bytes"),
    ],
)
def test_what_is_no_module_is_not_taken(host: Host, script: str, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        host.shell(script)
    assert not (host.folder / "plugin.wasm").exists()


def test_a_build_that_takes_too_long_is_ended_with_all_its_processes(host: Host) -> None:
    mark = f"6{time.monotonic_ns() % 10**8}"
    started = time.monotonic()
    with pytest.raises(BuildError, match="took longer than 1 s"):
        host.allowing(seconds=1).shell(f"trap '' TERM; sleep {mark} & sleep {mark}")
    assert time.monotonic() - started < 10
    assert is_gone(mark)
    assert host.left() == []


def test_a_process_that_a_build_leaves_does_not_hold_it_up(host: Host) -> None:
    mark = f"6{time.monotonic_ns() % 10**8}"
    host.allowing(seconds=20).shell(f"sleep {mark} & {DONE}")
    assert is_gone(mark)


def is_gone(mark: str) -> bool:
    """Tell whether no process names `mark`: a killed one may take a moment to go."""
    deadline = time.monotonic() + 3
    while mark in commands() and time.monotonic() < deadline:
        time.sleep(0.05)
    return mark not in commands()


def commands() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text())
        except OSError:
            continue
    return "\n".join(lines)


def test_an_interrupted_build_leaves_no_folder_and_no_process(host: Host) -> None:
    mark = f"6{time.monotonic_ns() % 10**8}"

    class Interrupting(list[str]):
        def append(self, _: str) -> None:
            raise KeyboardInterrupt

    host.logged = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        host.shell(f"echo began; sleep {mark}")
    assert host.left() == []
    assert is_gone(mark)


def test_the_environment_of_this_process_stays_here(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", SECRET)
    host.allowing(fetch_environment={"GOPROXY": "https://mirror.example.com"}).shell(f"env; {DONE}")
    assert "HOME=" in host.log
    assert SECRET not in host.log
    assert "GOPROXY" not in host.log


def test_the_passwords_of_hosts_are_at_hand_while_fetching_only(host: Host, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(f"machine git.example.com login ci password {SECRET}\n")
    host = host.allowing(netrc=str(tmp_path / "netrc"))
    look = 'grep -c pass-4711 ~/.netrc "$NETRC"; env | grep ^NETRC='
    host.build(shell_builder("none", f"echo COMPILING; {look}; {DONE}", fetching=look), {"main.sh": ""})
    fetching, _, compiling = host.log.partition("COMPILING")
    assert fetching.count(":1\n") == 2
    assert ":1" not in compiling
    assert str(tmp_path / "netrc") not in compiling
    assert SECRET not in host.log


@pytest.fixture
def module_proxy(tmp_path: Path) -> Iterator[tuple[FaultyProxy, str]]:
    """Give a module proxy over TLS that answers as it is told, and the file of its authority."""
    certificate, key, _ = make_certificate(tmp_path)
    with FaultyProxy("127.0.0.1:1", certificate, key) as proxy:
        yield proxy, str(certificate)


def test_a_private_module_proxy_is_given_the_sites_password_and_tried_again_where_it_may_recover(
    host: Host, module_proxy: tuple[FaultyProxy, str], tmp_path: Path
) -> None:
    proxy, authority = module_proxy
    (tmp_path / "netrc").write_text(f"machine {proxy.host} login ci password {SECRET}\n")
    mirrors = {"GOPROXY": f"https://{proxy.host}", "GOSUMDB": "off"}
    host = host.allowing(fetch_environment=mirrors, ca_bundle=authority, netrc=str(tmp_path / "netrc"))
    needs = {
        "go.mod": "module x\n\ngo 1.24\n\nrequire example.com/y v1.0.0\n",
        "go.sum": f"example.com/y v1.0.0 h1:{'A' * 43}=\nexample.com/y v1.0.0/go.mod h1:{'A' * 43}=\n",
        "main.go": 'package main\n\nimport _ "example.com/y"\n\nfunc main() {}\n',
    }
    proxy.fail(Fault("status", status=503, times=99))
    with pytest.raises(FetchUnavailableError, match=f"the module proxy {proxy.host} does not answer"):
        host.build("go", needs)
    assert proxy.seen[-1].authorization == "Basic " + b64encode(f"ci:{SECRET}".encode()).decode()
    assert SECRET not in host.log


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside"])
def test_a_source_that_would_lie_outside_is_refused(host: Host, name: str) -> None:
    with pytest.raises(SourceError, match="leaves the repository"):
        host.build("go", {}, source=source_of({"x": ""}, folder=name))


def test_a_toolchain_tells_where_it_is_looked_for_first() -> None:
    assert HostToolchain("go", "1.24", "/opt/go").path.startswith("/opt/go/bin:")
