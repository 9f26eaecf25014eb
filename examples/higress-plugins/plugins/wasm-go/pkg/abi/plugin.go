// SPDX-License-Identifier: Apache-2.0

// Package abi lets a plugin be written as two functions; it speaks the proxy-wasm ABI 0.2.1 for them.
//
// It needs nothing but the standard library, and nothing that only Higress offers: what is built on it
// loads on Envoy, Istio and Higress alike.
package abi

// Action is what the gateway does after a callback.
type Action uint32

// The actions of the proxy-wasm ABI 0.2.1.
const (
	Continue Action = 0
	Pause    Action = 1
)

// Plugin is what a gateway calls.
type Plugin struct {
	// Name is what log lines begin with and what an answer of the plugin is attributed to.
	Name string
	// Configure takes the plugin's JSON; an error keeps the gateway from starting the plugin.
	Configure func(configuration []byte) error
	// Request sees the headers of each request.
	Request func(request Request) Action
}

var plugin Plugin

// Serve registers the plugin; call it from an init function, for main never runs in a gateway.
func Serve(served Plugin) { plugin = served }

// Request is one request whose headers have arrived.
type Request struct{}

// Header returns the value of a header, or of a pseudo header such as ":path".
func (Request) Header(name string) (string, bool) {
	var address, length uint32
	if proxyGetHeaderMapValue(mapHTTPRequestHeaders, name, &address, &length) != statusOK {
		return "", false
	}
	return string(take(address, length)), true
}

// SetHeader replaces or adds a header of the request that goes on to the service.
func (Request) SetHeader(name, value string) {
	proxyReplaceHeaderMapValue(mapHTTPRequestHeaders, name, value)
}

// Answer answers in place of the service; return what it returns.
func (Request) Answer(status uint32, body string) Action {
	proxySendLocalResponse(status, plugin.Name, body, "", noGrpcStatus)
	return Pause
}
