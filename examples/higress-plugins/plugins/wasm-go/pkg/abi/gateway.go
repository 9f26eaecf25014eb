// SPDX-License-Identifier: Apache-2.0

package abi

import "unsafe"

const (
	logWarn                     = 3
	statusOK                    = 0
	bufferPluginConfig          = 7
	mapHTTPRequestHeaders       = 0
	noGrpcStatus          int32 = -1
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, message string) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, length uint32, address, size *uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(headers uint32, key string, address, size *uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func proxyReplaceHeaderMapValue(headers uint32, key, value string) uint32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(status uint32, details, body, headers string, grpcStatus int32) uint32

// given holds what the gateway wrote into our memory until it is taken, so that it is not collected.
var given = map[uint32][]byte{}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	buffer := make([]byte, size)
	address := unsafe.Pointer(&buffer[0])
	given[uint32(uintptr(address))] = buffer
	return address
}

func take(address, size uint32) []byte {
	buffer := given[address]
	delete(given, address)
	return buffer[:min(size, uint32(len(buffer)))]
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {}

//go:wasmexport proxy_on_vm_start
func onVMStart(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) uint32 {
	if plugin.Configure == nil {
		return 1
	}
	var configuration []byte
	var address, length uint32
	if size > 0 && proxyGetBufferBytes(bufferPluginConfig, 0, size, &address, &length) == statusOK {
		configuration = take(address, length)
	}
	if err := plugin.Configure(configuration); err != nil {
		proxyLog(logWarn, plugin.Name+" cannot use its configuration: "+err.Error())
		return 0
	}
	return 1
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, endOfStream uint32) uint32 {
	if plugin.Request == nil {
		return uint32(Continue)
	}
	return uint32(plugin.Request(Request{}))
}

//go:wasmexport proxy_on_done
func onDone(context uint32) uint32 { return 1 }

//go:wasmexport proxy_on_delete
func onDelete(context uint32) {}
