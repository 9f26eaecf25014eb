// SPDX-License-Identifier: Apache-2.0

// Command request-validation answers 400 where a required header is absent.
package main

import (
	"encoding/json"

	"example.com/plugins/wasm-go/pkg/abi"
)

var required []string

func configure(text []byte) error {
	var configuration struct {
		RequiredHeaders []string `json:"requiredHeaders"`
	}
	if err := json.Unmarshal(text, &configuration); err != nil {
		return err
	}
	required = configuration.RequiredHeaders
	return nil
}

func request(request abi.Request) abi.Action {
	for _, name := range required {
		if value, found := request.Header(name); !found || value == "" {
			return request.Answer(400, "header "+name+" is missing")
		}
	}
	return abi.Continue
}

func init() {
	abi.Serve(abi.Plugin{Name: "request-validation", Configure: configure, Request: request})
}

func main() {}
