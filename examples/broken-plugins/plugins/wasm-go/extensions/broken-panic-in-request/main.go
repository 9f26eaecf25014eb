// SPDX-License-Identifier: Apache-2.0

// Command broken-panic-in-request loads, and panics at the first request.
package main

import "unsafe"

var given [][]byte

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	given = append(given, make([]byte, size+1))
	return unsafe.Pointer(&given[len(given)-1][0])
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, endOfStream uint32) uint32 {
	panic("cannot answer")
}

func main() {}
