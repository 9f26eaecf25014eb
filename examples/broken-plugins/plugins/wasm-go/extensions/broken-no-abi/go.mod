module example.com/plugins/wasm-go/extensions/broken-no-abi

go 1.24.0
