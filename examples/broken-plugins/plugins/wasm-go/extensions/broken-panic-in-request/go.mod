module example.com/plugins/wasm-go/extensions/broken-panic-in-request

go 1.24.0
