module example.com/plugins/wasm-go/pkg/abi

go 1.24.0
