"""Would this host link this module? The steps of proxy-wasm-cpp-host in its own order, with its own words."""

from __future__ import annotations

from collections.abc import Iterator

from pluginyard.gateways.hosts import (
    ABI_EXPORT,
    HIGRESS_ONLY_ABI,
    HIGRESS_ONLY_IMPORTS,
    MAIN,
    MALLOC,
    START,
    HostProfile,
)
from pluginyard.gateways.signature import Signature
from pluginyard.gateways.verdict import Refusal
from pluginyard.gateways.wasm import Import, WasmModule
from pluginyard.rules import Finding, find

_MISSING = "Failed to load Wasm module due to a missing import: "
_MISMATCH = "Failed to load Wasm module due to an import type mismatch: "
# What an unknown import usually means: beginning of `module.name`, explanation, remedy.
_HINTS = (
    ("wasi:", "the module was built for WASI preview 2", "build for wasip1"),
    ("gojs.", "the module was built for a browser", "build with GOOS=wasip1, not GOOS=js"),
    ("go.", "the module was built for a browser", "build with GOOS=wasip1, not GOOS=js"),
    ("wbg.", "the module was built with wasm-bindgen for a browser", "build with --target wasm32-wasip1"),
    ("__wbindgen", "the module was built with wasm-bindgen for a browser", "build with --target wasm32-wasip1"),
    ("env.abort", "AssemblyScript expects abort from its host", "compile with --use abort=abort_proc_exit"),
    ("wasi_snapshot_preview1.proc_raise", "no gateway offers this WASI function", "do not raise signals"),
    ("wasi_snapshot_preview1.", "no gateway offers this WASI function", "remove the library that needs it"),
)
_DEVIATING_WASI = ("path_link", "path_symlink")


def abi_version(module: WasmModule) -> str:
    """Return the ABI version the module declares, as in its export's name: `0_2_1`; empty where it declares none.

    The host takes the first such export whose version it knows.
    """
    return next(iter(_abi_versions(module)), "")


def _abi_versions(module: WasmModule) -> Iterator[str]:
    for export in module.exports:
        if export.kind == "function" and export.name.startswith(ABI_EXPORT):
            yield export.name.removeprefix(ABI_EXPORT)


def check_link(module: WasmModule, host: HostProfile) -> Refusal | None:
    """Return why `host` would not link `module`, or None where it would."""
    abi = next((version for version in _abi_versions(module) if version in host.abi_versions), "")
    if not abi:
        return _no_abi(module, host)
    faults = (
        *(_check_import(wanted, abi, host) for wanted in module.imports),
        *_check_lifecycle(module),
        *_check_callbacks(module, abi, host),
    )
    return next((fault for fault in faults if fault), None)


def _no_abi(module: WasmModule, host: HostProfile) -> Refusal:
    found = ", ".join(version.replace("_", ".") for version in _abi_versions(module))
    known = ", ".join(version.replace("_", ".") for version in host.abi_versions)
    said = f"it declares proxy-wasm ABI {found}" if found else "it exports no proxy_abi_version_* function"
    return Refusal("M6", "Missing or unknown Proxy-Wasm ABI version", f"{said}; {host.title} knows {known}")


def _check_import(wanted: Import, abi: str, host: HostProfile) -> Refusal | None:
    where = f"{wanted.module}.{wanted.name}"
    if wanted.kind == "global":
        return Refusal("M6", _MISSING + where, f"it imports the global {where}; gateways offer none")
    if wanted.kind == "tag":
        crash = "the gateway's process is ended by its wasm engine (import of an exception tag)"
        return Refusal("M6", crash, f"it imports the exception tag {where}", "build without wasm exceptions")
    if wanted.signature is None:
        return None
    offered = host.import_signature(abi, wanted.module, wanted.name)
    if offered is None:
        return _missing_import(wanted, where, abi, host)
    return _mismatch(wanted, where, wanted.signature, offered) if offered != wanted.signature else None


def _missing_import(wanted: Import, where: str, abi: str, host: HostProfile) -> Refusal:
    if wanted.module == "env" and wanted.name in HIGRESS_ONLY_IMPORTS:
        message = f"it calls {wanted.name}, which only Higress offers"
        return Refusal("M6", _MISSING + where, message, "do not use it, or run the plugin on Higress only")
    for lead, why, remedy in _HINTS:
        if where.startswith(lead):
            return Refusal("M6", _MISSING + where, f"it imports {where}: {why}", remedy)
    message = f"it imports {where}, which {host.title} does not offer under ABI {abi.replace('_', '.')}"
    return Refusal("M6", _MISSING + where, message)


def _mismatch(wanted: Import, where: str, asked: Signature, offered: Signature) -> Refusal:
    reason = f"{_MISMATCH}{where}, want: {asked}, but host exports: {offered}"
    message = f"it imports {where} with other types ({asked}) than gateways offer ({offered})"
    if wanted.name in _DEVIATING_WASI:
        return Refusal("M6", reason, f"{message}: gateways depart from WASI here", "do not create links to files")
    return Refusal("M6", reason, message)


def _check_lifecycle(module: WasmModule) -> Iterator[Refusal | None]:
    """Check what the host calls first: `_initialize` and then `main`, else `_start`; then memory allocation."""
    functions = module.functions
    reactor = "_initialize" in functions
    for name, expected in [("_initialize", START), ("main", MAIN)] if reactor else [("_start", START)]:
        yield _check_export(name, expected, functions.get(name))
    yield _check_export("malloc", MALLOC, functions.get("malloc"))
    if "malloc" not in functions:
        yield _check_export("proxy_on_memory_allocate", MALLOC, functions.get("proxy_on_memory_allocate"))
        if "proxy_on_memory_allocate" not in functions:
            message = "it exports neither malloc nor proxy_on_memory_allocate, so no data can be handed to it"
            yield Refusal("M6", "Wasm module is missing malloc function.", message)
    if not reactor and "_start" in functions and "go:buildid" in module.custom_sections:
        message = "it is a Go command: it runs main and exits before the first request"
        yield Refusal("M6", "Failed to initialize Wasm code", message, "build with -buildmode=c-shared")


def _check_callbacks(module: WasmModule, abi: str, host: HostProfile) -> Iterator[Refusal | None]:
    for name, expected in host.expected_callbacks(abi).items():
        yield _check_export(name, expected, module.functions.get(name))


def _check_export(name: str, expected: Signature, found: Signature | None) -> Refusal | None:
    if found is None or found == expected:
        return None
    reason = f"Bad function signature for: {name}, want: {expected}, but the module exports: {found}"
    return Refusal("M6", reason, f"its function {name} has other types ({found}) than gateways call ({expected})")


def find_weaknesses(module: WasmModule) -> list[Finding]:
    """Return what a host accepts at load, but what will not work well (rule M6 as a warning)."""
    findings = []
    if not {"_initialize", "_start"} & module.functions.keys() and not module.has_start:
        message = "it exports neither _initialize nor _start: gateways load it, but nothing initializes it"
        findings.append(find("M6", message, level="W"))
    if not module.has_memory:
        findings.append(find("M6", "it exports no memory, so no data can be handed to it", level="W"))
    return findings


def higress_only_reasons(module: WasmModule) -> list[str]:
    """Return why only Higress loads the module (rule M7): its ABI, its imports."""
    versions = list(_abi_versions(module))
    reasons = ["it declares ABI 0.2.100"] if versions and set(versions) <= {HIGRESS_ONLY_ABI} else []
    names = sorted({i.name for i in module.imports if i.module == "env" and i.name in HIGRESS_ONLY_IMPORTS})
    return reasons + ([f"it calls {', '.join(names)}"] if names else [])
