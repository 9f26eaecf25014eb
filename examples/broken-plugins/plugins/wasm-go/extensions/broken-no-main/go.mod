module example.com/plugins/wasm-go/extensions/broken-no-main

go 1.24.0
