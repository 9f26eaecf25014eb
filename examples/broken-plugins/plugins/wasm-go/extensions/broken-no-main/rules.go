// SPDX-License-Identifier: Apache-2.0

// Package rules is a library: the compiler makes an archive of it, not a module.
package rules

// Blocked is what a main package would have used.
var Blocked = []string{"/hello.html"}
