module example.com/plugins/wasm-go/extensions/request-validation

go 1.24.0

require example.com/plugins/wasm-go/pkg/abi v0.0.0

replace example.com/plugins/wasm-go/pkg/abi => ../../pkg/abi
