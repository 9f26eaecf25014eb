from __future__ import annotations

import io

import pytest

from pluginyard.gateways.hosts import HIGRESS, HIGRESS_ONLY_IMPORTS, HOSTS, HostProfile
from pluginyard.gateways.judge.linking import abi_version, check_link, find_weaknesses, higress_only_reasons
from pluginyard.gateways.signature import parse_signature
from pluginyard.gateways.wasm import WasmModule, read_module
from tests.machine.wasm_builder import module, plugin

ENVOY = HOSTS["envoy"]


def read(content: bytes) -> WasmModule:
    return read_module(io.BytesIO(content))


def reason(content: bytes, host: HostProfile = ENVOY) -> str:
    """Return what `host` says of a module; empty where it links it."""
    refusal = check_link(read(content), host)
    return refusal.reason if refusal else ""


def test_four_gateways_are_known_by_the_names_users_write() -> None:
    assert list(HOSTS) == ["higress", "istio", "envoy-gateway", "envoy"]


@pytest.mark.parametrize("abi", ENVOY.abi_versions)
def test_higress_offers_all_that_upstream_offers_with_the_same_types(abi: str) -> None:
    for place, functions in ENVOY.imports(abi).items():
        for name, signature in functions.items():
            assert HIGRESS.import_signature(abi, place, name) == signature


def test_only_higress_knows_abi_0_2_100() -> None:
    assert reason(plugin("0_2_100"), HIGRESS) == ""
    assert reason(plugin("0_2_100")) == "Missing or unknown Proxy-Wasm ABI version"


def test_higress_only_functions_are_five() -> None:
    assert sorted(HIGRESS_ONLY_IMPORTS) == [
        "proxy_get_upstream_hosts",
        "proxy_inject_encoded_data_to_filter_chain",
        "proxy_redis_call",
        "proxy_redis_init",
        "proxy_set_upstream_override_host",
    ]


@pytest.mark.parametrize(
    ("name", "types", "abis"),
    [
        ("proxy_get_configuration", "(ii)i", ["0_1_0"]),
        ("proxy_clear_route_cache", "()i", ["0_1_0"]),
        ("proxy_continue_stream", "(i)i", ["0_2_0", "0_2_1", "0_2_100"]),
        ("proxy_get_log_level", "(i)i", ["0_2_1", "0_2_100"]),
        ("proxy_get_upstream_hosts", "(ii)i", ["0_2_1", "0_2_100"]),
        ("proxy_redis_init", "(iiiiiii)i", ["0_1_0", "0_2_0", "0_2_1", "0_2_100"]),
        ("proxy_log", "(iii)i", ["0_1_0", "0_2_0", "0_2_1", "0_2_100"]),
    ],
)
def test_a_function_is_offered_under_its_abi_versions_only(name: str, types: str, abis: list[str]) -> None:
    offered = [abi for abi in HIGRESS.abi_versions if HIGRESS.import_signature(abi, "env", name)]
    assert offered == abis
    assert HIGRESS.import_signature(abis[0], "env", name) == parse_signature(types)


def test_wasi_is_offered_under_both_of_its_names() -> None:
    for place in ("wasi_snapshot_preview1", "wasi_unstable"):
        assert str(ENVOY.import_signature("0_2_1", place, "fd_seek")) == "i32 i64 i32 i32 -> i32"
    assert ENVOY.import_signature("0_2_1", "wasi_snapshot_preview2", "fd_seek") is None


def test_a_missing_import_is_refused_with_the_hosts_words() -> None:
    said = "Failed to load Wasm module due to a missing import: env.nope"
    assert reason(plugin(imports=[("env", "proxy_log", "(iii)i"), ("env", "nope", "()")])) == said


def test_other_types_of_an_import_are_refused_with_the_hosts_words() -> None:
    assert reason(plugin(imports=[("env", "proxy_log", "(ii)i")])) == (
        "Failed to load Wasm module due to an import type mismatch: env.proxy_log, "
        "want: i32 i32 -> i32, but host exports: i32 i32 i32 -> i32"
    )


def test_globals_are_not_offered_but_memories_and_tables_are_made() -> None:
    assert reason(plugin(imports=[("env", "g", "global")])).endswith("missing import: env.g")
    assert reason(plugin(imports=[("env", "memory", "memory"), ("env", "t", "table")], memory=False)) == ""


def test_an_exception_tag_is_refused_since_it_ends_the_gateway() -> None:
    assert "ended" in reason(plugin(imports=[("env", "t", "tag")]))


@pytest.mark.parametrize(
    ("exports", "without", "said"),
    [
        ([], ["malloc"], "Wasm module is missing malloc function."),
        ([("proxy_on_memory_allocate", "(i)i")], ["malloc"], ""),
        ([("malloc", "(I)i")], ["malloc"], "Bad function signature for: malloc, want: i32 -> i32"),
        ([("proxy_on_memory_allocate", "()")], [], ""),
        ([("proxy_on_memory_allocate", "()")], ["malloc"], "Bad function signature for: proxy_on_memory_allocate"),
        ([("_initialize", "(i)")], ["_initialize"], "Bad function signature for: _initialize, want: void -> void"),
        ([("_start", "()i")], [], ""),
        ([("_start", "()i")], ["_initialize"], "Bad function signature for: _start"),
        ([("main", "()i")], [], "Bad function signature for: main, want: i32 i32 -> i32"),
        ([("main", "()i")], ["_initialize"], ""),
        ([("proxy_on_tick", "(ii)")], [], "Bad function signature for: proxy_on_tick"),
        ([("proxy_on_something_else", "(ii)")], [], ""),
    ],
)
def test_what_the_host_calls_must_have_the_types_it_calls(exports: list, without: list, said: str) -> None:
    found = reason(plugin(exports=exports, without=without))
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_headers_are_called_with_two_values_under_0_1_0_and_with_three_after() -> None:
    for abi, good, bad in (("0_1_0", "(ii)i", "(iii)i"), ("0_2_0", "(iii)i", "(ii)i"), ("0_2_1", "(iii)i", "(ii)i")):
        assert reason(plugin(abi, exports=[("proxy_on_request_headers", good)])) == ""
        assert "proxy_on_request_headers" in reason(plugin(abi, exports=[("proxy_on_request_headers", bad)]))


def test_the_redis_callback_matters_to_higress_alone() -> None:
    content = plugin(exports=[("proxy_on_redis_call_response", "(i)")])
    assert reason(content) == ""
    assert "proxy_on_redis_call_response" in reason(content, HIGRESS)


def test_of_two_abi_exports_the_first_known_one_counts() -> None:
    content = plugin(
        "0_2_100", exports=[("proxy_abi_version_0_2_0", "()")], imports=[("env", "proxy_get_log_level", "(i)i")]
    )
    assert abi_version(read(content)) == "0_2_100"
    assert reason(content, HIGRESS) == ""
    assert reason(content).endswith("missing import: env.proxy_get_log_level")  # upstream takes 0.2.0


def test_a_go_command_is_refused_since_it_exits_before_the_first_request() -> None:
    from tests.machine.wasm_builder import custom

    command = plugin(exports=[("_start", "()")], without=["_initialize"], tail=custom("go:buildid"))
    assert reason(command) == "Failed to initialize Wasm code"
    assert reason(plugin(exports=[("_start", "()")], without=["_initialize"])) == ""  # TinyGo, AssemblyScript


@pytest.mark.parametrize(
    ("place", "name", "hint"),
    [
        ("gojs", "runtime.wasmExit", "GOOS=wasip1"),
        ("wbg", "__wbindgen_throw", "wasm32-wasip1"),
        ("env", "abort", "abort_proc_exit"),
        ("wasi:cli/environment@0.2.0", "get-environment", "wasip1"),
        ("wasi_snapshot_preview1", "proc_raise", "signals"),
    ],
)
def test_an_unknown_import_is_explained_by_the_toolchain_it_comes_from(place: str, name: str, hint: str) -> None:
    refusal = check_link(read(plugin(imports=[(place, name, "()")])), ENVOY)
    assert refusal is not None
    assert hint in refusal.remedy


def test_a_module_nothing_initializes_and_one_without_memory_are_weak() -> None:
    assert find_weaknesses(read(plugin())) == []
    assert "initializes" in find_weaknesses(read(plugin(without=["_initialize"])))[0].message
    assert find_weaknesses(read(module(start=True))) == []
    assert "memory" in find_weaknesses(read(plugin(memory=False)))[0].message


def test_what_ties_a_module_to_higress_is_named() -> None:
    assert higress_only_reasons(read(plugin())) == []
    content = plugin("0_2_100", imports=[("env", "proxy_redis_init", "(iiiiiii)i")])
    assert higress_only_reasons(read(content)) == ["it declares ABI 0.2.100", "it calls proxy_redis_init"]
