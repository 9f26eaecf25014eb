"""Envoy's side of a probe: the bootstrap that loads one module, and Envoy's own words when it does not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from pluginyard.oci import canonical_json

LISTENER = "probe"
_TYPE = "type.googleapis.com/"
_HTTP = _TYPE + "envoy.extensions.filters.http."

# `[2026-01-01 00:00:00.000][12][error][wasm] [source/….cc:38] words`
_LOG_LINE = re.compile(r"\[[^\]]*\]\[[^\]]*\]\[(?P<level>\w+)\]\[[\w.]+\] (?:\[[^\]]*\] )?(?P<words>.*)")
# `wasm log NAME ROOT VM: words`: what the module itself wrote.
_MODULE_WORDS = re.compile(r"wasm log[^:]*: (?P<words>.*)")
# These only repeat that the module was refused.
_ECHO = re.compile(r"Plugin .* failed to load$|error `Unable to create Wasm plugin")
_REFUSAL = "Unable to create Wasm plugin"
_SAID_BOUND = 300


def render_bootstrap(
    module_path: PurePath,
    configuration: str,
    *,
    upstream_port: int,
    name: str,
    listener_port: int = 0,
    admin_port: int = 0,
) -> str:
    """Return the JSON bootstrap of an Envoy that puts the module at `module_path` before a local upstream.

    Port 0 lets the system choose, so two probes never want the same port; Envoy reports which it was.
    `name` is the plugin's name: what the module reads as `plugin_name` and Envoy writes in its log.
    """
    bootstrap = {
        "node": {"id": "pluginyard", "cluster": "pluginyard"},
        "admin": {"address": _loopback(admin_port)},
        "static_resources": {
            "listeners": [_listener(listener_port, [_wasm(module_path, configuration, name), _router()])],
            "clusters": [_cluster(upstream_port)],
        },
    }
    return canonical_json(bootstrap).decode()


def reason_of_refusal(log: str) -> str:
    """Return why Envoy refused the module, in its own words; empty where it ended for another reason.

    The words are the error lines of `log` without repetitions, then what the module itself wrote as a
    warning or error: a plugin that refuses its configuration says there what is wrong with it.
    """
    if _REFUSAL not in log:
        return ""
    lines = [match for match in map(_LOG_LINE.match, log.splitlines()) if match]
    errors = [each["words"] for each in lines if each["level"] in ("error", "critical")]
    envoys = [each.strip() for each in errors if not _MODULE_WORDS.match(each) and not _ECHO.search(each)]
    loud = [each["words"] for each in lines if each["level"] in ("warning", "error", "critical")]
    said = _join_fragments(each["words"] for each in map(_MODULE_WORDS.match, loud) if each)
    return "; ".join([*dict.fromkeys(envoys or [_REFUSAL]), *([f"the module said: {said}"] if said else [])])


def _join_fragments(words: Iterable[str]) -> str:
    # A Go panic arrives in pieces, one log line for each write of a few letters.
    said = " ".join(" ".join(words).split())
    return said if len(said) <= _SAID_BOUND else said[: _SAID_BOUND - 1] + "…"


def _wasm(module_path: PurePath, configuration: str, name: str) -> dict[str, Any]:
    config = {
        "name": name,
        "root_id": name,
        "vm_config": {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": str(module_path)}},
        },
        "configuration": {"@type": _TYPE + "google.protobuf.StringValue", "value": configuration},
    }
    return {
        "name": "envoy.filters.http.wasm",
        "typed_config": {"@type": _HTTP + "wasm.v3.Wasm", "config": config},
    }


def _router() -> dict[str, Any]:
    return {"name": "envoy.filters.http.router", "typed_config": {"@type": _HTTP + "router.v3.Router"}}


def _listener(port: int, filters: list[dict[str, Any]]) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}
    manager = {
        "@type": _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": LISTENER, "domains": ["*"], "routes": [route]}]},
    }
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {"name": LISTENER, "address": _loopback(port), "filter_chains": [{"filters": [network_filter]}]}


def _cluster(port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _loopback(port)}}
    assignment = {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": "upstream", "type": "STATIC", "connect_timeout": "5s", "load_assignment": assignment}


def _loopback(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
