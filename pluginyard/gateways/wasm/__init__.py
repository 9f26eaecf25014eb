"""A WebAssembly module, as far as a gateway looks into it."""

from pluginyard.gateways.wasm.module import LIMIT_BYTES, Readable, WasmModule, read_module
from pluginyard.gateways.wasm.outline import Import
from pluginyard.gateways.wasm.payloads import MalformedModuleError
