// SPDX-License-Identifier: Apache-2.0

// Command broken-no-memory offers neither malloc nor proxy_on_memory_allocate.
package main

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

func main() {}
