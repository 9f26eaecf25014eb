// SPDX-License-Identifier: Apache-2.0

// Command mcp-server-v2 tells clients which tools there are, and passes everything else on.
package main

import (
	"encoding/json"

	"example.com/plugins/wasm-go/pkg/abi"
)

type tool struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

var listing string

func configure(text []byte) error {
	configuration := struct {
		Tools []tool `json:"tools"`
	}{Tools: []tool{}}
	if err := json.Unmarshal(text, &configuration); err != nil {
		return err
	}
	encoded, err := json.Marshal(configuration)
	listing = string(encoded)
	return err
}

func request(request abi.Request) abi.Action {
	if path, _ := request.Header(":path"); path == "/mcp/tools" {
		return request.Answer(200, listing)
	}
	request.SetHeader("x-mcp-server", "v2")
	return abi.Continue
}

func init() {
	abi.Serve(abi.Plugin{Name: "mcp-server-v2", Configure: configure, Request: request})
}

func main() {}
