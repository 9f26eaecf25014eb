// SPDX-License-Identifier: Apache-2.0

// Command prompt-embed answers /prompts/NAME with a text that was compiled into the module.
//
// The texts under prompts/ are read by the compiler, not by the gateway: another word in one of them is
// another module.
package main

import (
	"embed"
	"strings"

	"example.com/plugins/wasm-go/pkg/abi"
)

//go:embed prompts/*.md
var prompts embed.FS

func request(request abi.Request) abi.Action {
	target, _ := request.Header(":path")
	path, _, _ := strings.Cut(target, "?")
	name, found := strings.CutPrefix(path, "/prompts/")
	if !found {
		return abi.Continue
	}
	text, err := prompts.ReadFile("prompts/" + name + ".md")
	if err != nil {
		return request.Answer(404, "no such prompt")
	}
	return request.Answer(200, string(text))
}

func init() {
	abi.Serve(abi.Plugin{Name: "prompt-embed", Request: request})
}

func main() {}
