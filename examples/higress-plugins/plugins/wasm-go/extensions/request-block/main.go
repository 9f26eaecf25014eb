// SPDX-License-Identifier: Apache-2.0

// Command request-block is a gateway plugin that answers 403 on the paths named in its configuration.
//
// It speaks the proxy-wasm ABI 0.2.1 itself (gateway.go) and uses nothing but the standard library,
// so it loads on Envoy, Istio and Higress alike.
package main

import (
	"encoding/json"
	"errors"
	"strings"
)

// forbidden is written out: importing net/http for it would make the module half as large again.
const forbidden = 403

// configuration is the JSON a gateway gives to the plugin; spec.yaml describes it to people.
type configuration struct {
	// Blocked holds exact paths; a query string does not make another path.
	Blocked []string `json:"blocked"`
	// Status is what a blocked request is answered with; 403 where it is absent.
	Status uint32 `json:"status"`
	// Message is the body of that answer; "blocked" where it is absent.
	Message string `json:"message"`
}

var rules configuration

// parseConfiguration reads the JSON; a plugin that blocks nothing is a mistake, so it is refused.
func parseConfiguration(text []byte) (configuration, error) {
	parsed := configuration{Status: forbidden, Message: "blocked"}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return configuration{}, err
	}
	if len(parsed.Blocked) == 0 {
		return configuration{}, errors.New("`blocked` names no path")
	}
	return parsed, nil
}

// blocks tells whether a request for target (path and query) is to be refused.
func (c configuration) blocks(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	for _, blocked := range c.Blocked {
		if path == blocked {
			return true
		}
	}
	return false
}

func main() {}
