"""What each gateway offers to a module and expects from it: functions with their exact types, by ABI version.

The tables are facts of proxy-wasm-cpp-host (`exports.h`, `wasm.h`, `registerCallbacks`, `getFunctions`), read in
the upstream sources and in Higress's fork; the upstream ones were then asked of Envoy 1.40 itself, function by
function (tests/integration/test_judge_agrees_with_envoy.py asks again). Where the host departs from WASI
(`path_link`, `path_symlink` lack the length of the new path), the host counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from pluginyard.gateways.signature import Signature, parse_signature

ABI_EXPORT = "proxy_abi_version_"
_ENV = """
proxy_log(iii)i proxy_get_status(iii)i proxy_set_property(iiii)i proxy_get_property(iiii)i
proxy_send_local_response(iiiiiiii)i proxy_get_shared_data(iiiii)i proxy_set_shared_data(iiiii)i
proxy_register_shared_queue(iii)i proxy_resolve_shared_queue(iiiii)i proxy_dequeue_shared_queue(iii)i
proxy_enqueue_shared_queue(iii)i proxy_get_header_map_value(iiiii)i proxy_add_header_map_value(iiiii)i
proxy_replace_header_map_value(iiiii)i proxy_remove_header_map_value(iii)i proxy_get_header_map_pairs(iii)i
proxy_set_header_map_pairs(iii)i proxy_get_header_map_size(ii)i proxy_get_buffer_status(iii)i
proxy_get_buffer_bytes(iiiii)i proxy_set_buffer_bytes(iiiii)i proxy_http_call(iiiiiiiiii)i
proxy_grpc_call(iiiiiiiiiiii)i proxy_grpc_stream(iiiiiiiii)i proxy_grpc_close(i)i proxy_grpc_cancel(i)i
proxy_grpc_send(iiii)i proxy_set_tick_period_milliseconds(i)i proxy_get_current_time_nanoseconds(i)i
proxy_define_metric(iiii)i proxy_increment_metric(iI)i proxy_record_metric(iI)i proxy_get_metric(ii)i
proxy_set_effective_context(i)i proxy_done()i proxy_call_foreign_function(iiiiii)i
pthread_equal(ii)i emscripten_notify_memory_growth(i)
"""
_WASI = """
fd_write(iiii)i fd_read(iiii)i fd_seek(iIii)i fd_close(i)i fd_fdstat_get(ii)i fd_fdstat_set_flags(ii)i
fd_fdstat_set_rights(iII)i fd_advise(iIIi)i fd_allocate(iII)i fd_datasync(i)i fd_filestat_get(ii)i
fd_filestat_set_size(iI)i fd_filestat_set_times(iIIi)i fd_pread(iiiIi)i fd_pwrite(iiiIi)i fd_readdir(iiiIi)i
fd_renumber(ii)i fd_sync(i)i fd_tell(ii)i fd_prestat_get(ii)i fd_prestat_dir_name(iii)i environ_get(ii)i
environ_sizes_get(ii)i args_get(ii)i args_sizes_get(ii)i clock_time_get(iIi)i clock_res_get(ii)i
path_create_directory(iii)i path_filestat_get(iiiii)i path_filestat_set_times(iiiiIIi)i path_link(iiiiii)i
path_open(iiiiiIIii)i path_readlink(iiiiii)i path_remove_directory(iii)i path_rename(iiiiii)i
path_symlink(iiii)i path_unlink_file(iii)i sock_accept(iii)i sock_recv(iiiiii)i sock_send(iiiii)i
sock_shutdown(ii)i random_get(ii)i sched_yield()i poll_oneoff(iiii)i proc_exit(i)
"""
_STREAM = "proxy_continue_stream(i)i proxy_close_stream(i)i"
_FIRST = """
proxy_get_configuration(ii)i proxy_continue_request()i proxy_continue_response()i proxy_clear_route_cache()i
"""
_BY_ABI = {
    "0_1_0": _FIRST,
    "0_2_0": _STREAM,
    "0_2_1": f"{_STREAM} proxy_get_log_level(i)i",
    "0_2_100": f"{_STREAM} proxy_get_log_level(i)i",
}
_REDIS = "proxy_redis_init(iiiiiii)i proxy_redis_call(iiiii)i proxy_inject_encoded_data_to_filter_chain(iii)i"
_UPSTREAM_HOSTS = "proxy_get_upstream_hosts(ii)i proxy_set_upstream_override_host(ii)i"
_HIGRESS_BY_ABI = {
    "0_1_0": _REDIS,
    "0_2_0": _REDIS,
    "0_2_1": f"{_REDIS} {_UPSTREAM_HOSTS}",
    "0_2_100": f"{_REDIS} {_UPSTREAM_HOSTS}",
}
# The callbacks a module may export. The host looks each up by its exact type and refuses the module where one
# differs ("Bad function signature for"), whether or not it would ever be called.
_CALLBACKS = """
proxy_validate_configuration(ii)i proxy_on_vm_start(ii)i proxy_on_configure(ii)i proxy_on_tick(i)
proxy_on_context_create(ii) proxy_on_new_connection(i)i proxy_on_downstream_data(iii)i
proxy_on_upstream_data(iii)i proxy_on_downstream_connection_close(ii) proxy_on_upstream_connection_close(ii)
proxy_on_request_body(iii)i proxy_on_request_trailers(ii)i proxy_on_request_metadata(ii)i
proxy_on_response_body(iii)i proxy_on_response_trailers(ii)i proxy_on_response_metadata(ii)i
proxy_on_http_call_response(iiiii) proxy_on_grpc_receive(iii) proxy_on_grpc_close(iii)
proxy_on_grpc_receive_initial_metadata(iii) proxy_on_grpc_receive_trailing_metadata(iii)
proxy_on_queue_ready(ii) proxy_on_done(i)i proxy_on_log(i) proxy_on_delete(i)
"""
_HEADERS_01 = "proxy_on_request_headers(ii)i proxy_on_response_headers(ii)i"
_HEADERS_02 = "proxy_on_request_headers(iii)i proxy_on_response_headers(iii)i proxy_on_foreign_function(iii)"
_HIGRESS_CALLBACKS = "proxy_on_redis_call_response(iiii)"
START = parse_signature("()")
MAIN = parse_signature("(ii)i")
MALLOC = parse_signature("(i)i")


@cache
def _table(*texts: str) -> Mapping[str, Signature]:
    entries = (entry.partition("(") for text in texts for entry in text.split())
    return {name: parse_signature(f"({types}") for name, _, types in entries}


HIGRESS_ONLY_IMPORTS = frozenset(_table(_REDIS, _UPSTREAM_HOSTS))
HIGRESS_ONLY_ABI = "0_2_100"


@dataclass(frozen=True)
class HostProfile:
    """Say what the wasm host inside a gateway links."""

    name: str
    title: str
    abi_versions: tuple[str, ...]
    imports_by_abi: Mapping[str, str] = field(default_factory=dict)
    callbacks: str = ""
    neither_variant: str = "2 errors occurred:\n\t* {compat}\n\t* {oci}\n\n"
    """How it words that an image is neither of the compat nor of the oci variant."""
    pulls_images: bool = True
    """False for a gateway that loads files or URLs only: an artifact is unpacked for it."""

    @cached_property
    def _imports(self) -> Mapping[str, Mapping[str, Mapping[str, Signature]]]:
        wasi = _table(_WASI)
        return {
            abi: {
                "env": _table(_ENV, _BY_ABI[abi], self.imports_by_abi.get(abi, "")),
                "wasi_snapshot_preview1": wasi,
                "wasi_unstable": wasi,
            }
            for abi in self.abi_versions
        }

    def import_signature(self, abi: str, module: str, name: str) -> Signature | None:
        """Return the type of the function the host offers under this name, or None where it offers none."""
        return self._imports[abi].get(module, {}).get(name)

    def imports(self, abi: str) -> Mapping[str, Mapping[str, Signature]]:
        """Return every function the host offers to a module of this ABI, by import module and name."""
        return self._imports[abi]

    def expected_callbacks(self, abi: str) -> Mapping[str, Signature]:
        """Return the callbacks the host looks up in a module of this ABI."""
        return _table(_CALLBACKS, _HEADERS_01 if abi == "0_1_0" else _HEADERS_02, self.callbacks)


_UPSTREAM = ("0_1_0", "0_2_0", "0_2_1")
_ROWS = (
    HostProfile("higress", "Higress", (*_UPSTREAM, HIGRESS_ONLY_ABI), _HIGRESS_BY_ABI, _HIGRESS_CALLBACKS),
    HostProfile("istio", "Istio", _UPSTREAM),
    HostProfile("envoy-gateway", "Envoy Gateway", _UPSTREAM, neither_variant="{compat}\n{oci}"),
    HostProfile("envoy", "Envoy", _UPSTREAM, pulls_images=False),
)
HOSTS: Mapping[str, HostProfile] = {host.name: host for host in _ROWS}
HIGRESS = HOSTS["higress"]
