// SPDX-License-Identifier: Apache-2.0

// Command broken-panic-at-start panics while it is initialised.
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
	panic("cannot start")
}

func main() {}
