// SPDX-License-Identifier: Apache-2.0

// Command sdk-headers sets the configured headers on each request.
//
// It is built on the Higress SDK, whose modules export proxy_abi_version_0_2_100: only Higress loads it.
package main

import (
	"errors"

	"github.com/higress-group/proxy-wasm-go-sdk/proxywasm"
	"github.com/higress-group/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/higress-group/wasm-go/pkg/log"
	"github.com/higress-group/wasm-go/pkg/wrapper"
	"github.com/tidwall/gjson"
)

type configuration struct {
	headers [][2]string
}

func parse(json gjson.Result, parsed *configuration) error {
	headers := json.Get("headers")
	if !headers.IsObject() {
		return errors.New("`headers` is not a mapping of names to values")
	}
	headers.ForEach(func(name, value gjson.Result) bool {
		parsed.headers = append(parsed.headers, [2]string{name.String(), value.String()})
		return true
	})
	return nil
}

func onRequestHeaders(_ wrapper.HttpContext, configured configuration) types.Action {
	for _, header := range configured.headers {
		if err := proxywasm.ReplaceHttpRequestHeader(header[0], header[1]); err != nil {
			log.Warnf("header %s cannot be set: %v", header[0], err)
		}
	}
	return types.ActionContinue
}

func init() {
	wrapper.SetCtx(
		"sdk-headers",
		wrapper.ParseConfig(parse),
		wrapper.ProcessRequestHeaders(onRequestHeaders),
	)
}

func main() {}
