module example.com/plugins/wasm-go/extensions/broken-no-memory

go 1.24.0
