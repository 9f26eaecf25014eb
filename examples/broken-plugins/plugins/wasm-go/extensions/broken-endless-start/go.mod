module example.com/plugins/wasm-go/extensions/broken-endless-start

go 1.24.0
