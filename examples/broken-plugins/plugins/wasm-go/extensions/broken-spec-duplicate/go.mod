module example.com/plugins/wasm-go/extensions/broken-spec-duplicate

go 1.24.0
