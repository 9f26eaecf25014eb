module example.com/plugins/wasm-go/extensions/broken-untidy

go 1.24.0
