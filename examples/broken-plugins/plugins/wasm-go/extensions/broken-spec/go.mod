module example.com/plugins/wasm-go/extensions/broken-spec

go 1.24.0
