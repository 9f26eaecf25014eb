// SPDX-License-Identifier: Apache-2.0

// Command broken-untidy imports a module that its go.mod does not name.
package main

import "github.com/tidwall/gjson"

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// blocked is here to use the import.
func blocked(configuration string) string { return gjson.Get(configuration, "blocked").String() }

func main() { _ = blocked("{}") }
