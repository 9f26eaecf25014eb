// SPDX-License-Identifier: Apache-2.0

// Command broken-endless-start never returns from its start.
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

func init() {
	for {
	}
}

func main() {}
