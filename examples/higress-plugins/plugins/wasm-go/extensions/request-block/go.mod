module example.com/plugins/wasm-go/extensions/request-block

go 1.24.0
