// SPDX-License-Identifier: Apache-2.0

// Command broken-no-abi exports no proxy_abi_version, so a gateway cannot tell how to speak to it.
package main

import "unsafe"

var given [][]byte

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	given = append(given, make([]byte, size+1))
	return unsafe.Pointer(&given[len(given)-1][0])
}

func main() {}
