// SPDX-License-Identifier: Apache-2.0

// Command shared-rules refuses what its patterns name; how they match is decided in ../../pkg/rules.
package main

import (
	"encoding/json"

	"example.com/plugins/wasm-go/pkg/abi"
	"example.com/plugins/wasm-go/pkg/rules"
)

var denied rules.Set

func configure(text []byte) error {
	var configuration struct {
		Deny []string `json:"deny"`
	}
	if err := json.Unmarshal(text, &configuration); err != nil {
		return err
	}
	set, err := rules.Parse(configuration.Deny)
	denied = set
	return err
}

func request(request abi.Request) abi.Action {
	if target, found := request.Header(":path"); found && denied.Match(target) {
		return request.Answer(403, "denied")
	}
	return abi.Continue
}

func init() {
	abi.Serve(abi.Plugin{Name: "shared-rules", Configure: configure, Request: request})
}

func main() {}
