module example.com/plugins/wasm-go/extensions/shared-rules

go 1.24.0

require (
	example.com/plugins/wasm-go/pkg/abi v0.0.0
	example.com/plugins/wasm-go/pkg/rules v0.0.0
)

replace (
	example.com/plugins/wasm-go/pkg/abi => ../../pkg/abi
	example.com/plugins/wasm-go/pkg/rules => ../../pkg/rules
)
