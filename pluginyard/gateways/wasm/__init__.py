"""A WebAssembly module, as far as a gateway looks into it."""
