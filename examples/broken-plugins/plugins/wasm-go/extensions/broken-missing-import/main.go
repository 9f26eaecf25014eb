// SPDX-License-Identifier: Apache-2.0

// Command broken-missing-import imports a function that no gateway offers.
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

//go:wasmimport env proxy_nonexistent
func proxyNonexistent(value uint32) uint32

//go:wasmexport proxy_on_vm_start
func onVMStart(context, size uint32) uint32 { return proxyNonexistent(1) }

func main() {}
