// SPDX-License-Identifier: Apache-2.0

// Command broken-registers-in-main registers itself in main, which a gateway does not run in a reactor module.
package main

import "unsafe"

var given [][]byte

var createContext func(context uint32)

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	given = append(given, make([]byte, size+1))
	return unsafe.Pointer(&given[len(given)-1][0])
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {
	createContext(context)
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, endOfStream uint32) uint32 {
	return 0
}

func main() {
	createContext = func(context uint32) {}
}
