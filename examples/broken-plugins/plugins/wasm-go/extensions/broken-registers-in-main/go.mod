module example.com/plugins/wasm-go/extensions/broken-registers-in-main

go 1.24.0
