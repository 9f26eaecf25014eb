module example.com/plugins/wasm-go/extensions/broken-missing-import

go 1.24.0
