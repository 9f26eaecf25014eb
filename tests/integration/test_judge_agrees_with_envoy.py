"""The judge against the real Envoy: the same answer, for the same reason, function by function.

The modules are made by hand here; what real toolchains emit is judged in test_examples.py.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pluginyard.gateways.hosts import HIGRESS, HOSTS
from pluginyard.gateways.judge.verdicts import judge_module
from pluginyard.gateways.signature import Signature
from pluginyard.gateways.verdict import GatewayVerdict
from tasks.doors.gateways import Envoy
from tests.machine.wasm_builder import custom, module, name, plugin, section

ENVOY = HOSTS["envoy"]

_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_FILTER = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_WANTED = re.compile(r"Bad function signature for: \S+, want: (.*?) -> (\S+),")


def configuration(wasm: Path) -> str:
    """Return the least configuration that makes Envoy load and start `wasm`."""
    filters = [
        {
            "name": "wasm",
            "typed_config": {
                "@type": _FILTER,
                "config": {
                    "name": "plugin",
                    "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(wasm)}}},
                },
            },
        },
        {"name": "router", "typed_config": {"@type": _ROUTER}},
    ]
    routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "x",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": filters,
    }
    listener = {
        "name": "one",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return json.dumps({"static_resources": {"listeners": [listener]}})


class RealEnvoy:
    """Ask the real Envoy whether it loads a module."""

    def __init__(self, envoy: Envoy, folder: Path) -> None:
        self._envoy, self._folder, self._count = envoy, folder, 0

    def ask(self, content: bytes) -> tuple[bool, str]:
        """Return whether it loads, and its log."""
        self._count += 1
        wasm = self._folder / f"{self._count}.wasm"
        wasm.write_bytes(content)
        settings = wasm.with_suffix(".json")
        settings.write_text(configuration(wasm))
        command = [str(self._envoy.path), "--mode", "validate", "--concurrency", "1", "--disable-hot-restart"]
        done = subprocess.run([*command, "-c", str(settings)], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode == 0, done.stderr

    def signature(self, content: bytes, said: re.Pattern[str]) -> str:
        """Return the types Envoy's refusal of `content` names."""
        loads, log = self.ask(content)
        found = said.search(log)
        assert not loads
        assert found, log[-2000:]
        return f"{found[1]} -> {found[2]}"


@pytest.fixture
def real(envoy: Envoy, tmp_path: Path) -> RealEnvoy:
    return RealEnvoy(envoy, tmp_path)


def judged(content: bytes) -> GatewayVerdict:
    verdict = judge_module(io.BytesIO(content))
    return next(gate for gate in verdict.gateways if gate.gateway == "envoy")


HEADERS = "proxy_on_request_headers"
CASES = {
    "a good module": plugin(),
    "ABI 0.1.0": plugin("0_1_0"),
    "ABI 0.2.0": plugin("0_2_0"),
    "ABI 0.2.100": plugin("0_2_100"),
    "ABI 0.3.0": plugin("0_3_0"),
    "no ABI": plugin(""),
    "two ABI versions": plugin("0_2_100", exports=[("proxy_abi_version_0_2_0", "()")]),
    "no malloc": plugin(without=["malloc"]),
    "proxy_on_memory_allocate in place of malloc": plugin(
        without=["malloc"], exports=[("proxy_on_memory_allocate", "(i)i")]
    ),
    "malloc of other types": plugin(without=["malloc"], exports=[("malloc", "(I)i")]),
    "malloc of other types beside a good one": plugin(
        without=["malloc"], exports=[("malloc", "(I)i"), ("proxy_on_memory_allocate", "(i)i")]
    ),
    "nothing to initialize": plugin(without=["_initialize"]),
    "_start": plugin(without=["_initialize"], exports=[("_start", "()")]),
    "_start of other types": plugin(without=["_initialize"], exports=[("_start", "()i")]),
    "_start of other types beside _initialize": plugin(exports=[("_start", "()i")]),
    "_initialize of other types": plugin(without=["_initialize"], exports=[("_initialize", "(i)")]),
    "main": plugin(exports=[("main", "(ii)i")]),
    "main of other types": plugin(exports=[("main", "()i")]),
    "main of other types without _initialize": plugin(without=["_initialize"], exports=[("main", "()i")]),
    "a start section": module(exports=[("proxy_abi_version_0_2_1", "()"), ("malloc", "(i)i")], start=True),
    "a missing import": plugin(imports=[("env", "nope", "()")]),
    "a Higress import": plugin(imports=[("env", "proxy_redis_init", "(iiiiiii)i")]),
    "an import of other types": plugin(imports=[("env", "proxy_log", "(ii)i")]),
    "path_link as WASI has it": plugin(imports=[("wasi_snapshot_preview1", "path_link", "(iiiiiii)i")]),
    "an imported global": plugin(imports=[("env", "g", "global")]),
    "an imported table": plugin(imports=[("env", "t", "table")]),
    "an imported memory": plugin(imports=[("env", "memory", "memory")], memory=False),
    "no memory": plugin(memory=False),
    "a callback": plugin(exports=[(HEADERS, "(iii)i")]),
    "a callback of other types": plugin(exports=[(HEADERS, "(ii)i")]),
    "a callback of ABI 0.1.0": plugin("0_1_0", exports=[(HEADERS, "(ii)i")]),
    "a callback of 0.2.0 under ABI 0.1.0": plugin("0_1_0", exports=[(HEADERS, "(iii)i")]),
    "the same export twice": plugin(exports=[("malloc", "(i)i")]),
    "cut off": plugin()[:-3],
    "garbage at the end": plugin(tail=b"\xff\xff"),
    "an unknown section": plugin(tail=section(14, b"")),
    "version 2": b"\0asm\2\0\0\0" + plugin()[8:],
    "a component": b"\0asm\x0d\0\1\0",
    "only a header": b"\0asm\1\0\0\0",
    "good names of functions": plugin(tail=custom("name", b"\x01\x04\x01\x00\x01a")),
    "cut names of functions": plugin(tail=custom("name", b"\x01\x05\x01")),
    "names of functions that do not fill": plugin(tail=custom("name", b"\x01\x05\x01\x00\x01ab")),
    "a custom section with a bad name": plugin(tail=section(0, name(b"\xff\xff"))),
}


@pytest.mark.parametrize("case", CASES)
def test_the_judge_says_what_envoy_says_and_why(real: RealEnvoy, case: str) -> None:
    loads, log = real.ask(CASES[case])
    verdict = judged(CASES[case])
    assert verdict.loads == loads, log[-2000:]
    assert verdict.reason in log


def test_a_module_that_imports_an_exception_tag_ends_envoy_itself(
    envoy: Envoy, tmp_path: Path, real: RealEnvoy
) -> None:
    loads, log = real.ask(plugin(imports=[("env", "t", "tag")]))
    assert not loads
    assert "missing import" not in log
    assert not judged(plugin(imports=[("env", "t", "tag")])).loads


@pytest.mark.parametrize("abi", ENVOY.abi_versions)
def test_envoy_offers_every_function_of_the_profile_with_just_these_types(real: RealEnvoy, abi: str) -> None:
    letters = {"i32": "i", "i64": "I"}

    def text(found: Signature) -> str:
        return f"({''.join(letters[t] for t in found.params)}){''.join(letters[t] for t in found.results)}"

    offered = [(place, n, text(s)) for place, table in ENVOY.imports(abi).items() for n, s in table.items()]
    loads, log = real.ask(plugin(abi, imports=offered))
    assert loads, log[-2000:]
    assert judged(plugin(abi, imports=offered)).loads


def test_what_the_profile_leaves_out_under_an_abi_envoy_does_not_offer(real: RealEnvoy) -> None:
    everything = {n: str(s) for abi in HIGRESS.abi_versions for n, s in HIGRESS.imports(abi)["env"].items()}
    absent = [(abi, n) for abi in ENVOY.abi_versions for n in everything if n not in ENVOY.imports(abi)["env"]]
    assert len(absent) > 20
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda pair: real.ask(plugin(pair[0], imports=[("env", pair[1], "()")])), absent))
    for (_, n), (loads, log) in zip(absent, answers, strict=True):
        assert not loads
        assert f"missing import: env.{n}" in log


def test_envoy_calls_every_callback_of_the_profile_with_just_these_types(real: RealEnvoy) -> None:
    for abi in ("0_1_0", "0_2_1"):
        expected = ENVOY.expected_callbacks(abi)
        modules = [plugin(abi, exports=[(n, "(F)F")]) for n in expected]
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(lambda content: real.signature(content, _WANTED), modules))
        assert dict(zip(expected, said, strict=True)) == {n: str(s) for n, s in expected.items()}
