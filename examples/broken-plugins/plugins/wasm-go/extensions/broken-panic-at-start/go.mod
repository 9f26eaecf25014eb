module example.com/plugins/wasm-go/extensions/broken-panic-at-start

go 1.24.0
