module example.com/plugins/wasm-go/pkg/rules

go 1.24.0
