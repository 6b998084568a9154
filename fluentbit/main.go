// Command fluentbit is siempipe as a Fluent Bit output plugin, built as a C shared library:
//
//	make fluentbit && fluent-bit -e bin/out_siempipe.so -i dummy -o siempipe -p output=directory -p directory=out
//
// This file is the only cgo file. It hands settings, chunks and log lines between the host and package plugin, and keeps
// a panic of ours from ending the host.
package main

/*
#include <stdlib.h>

// What the host gives to a Go plugin, as far as it is used here. The library knows the first member of siempipe_api only;
// the others are those of fluent-bit/flb_api.h, which grows at its end.
struct siempipe_api {
	const char *(*output_get_property)(const char *, void *);
	const char *(*input_get_property)(const char *, void *);
	void *(*output_get_cmt_instance)(void *);
	void *(*input_get_cmt_instance)(void *);
	void (*log_print)(int, const char *, int, const char *, ...);
	int (*input_log_check)(void *, int);
	int (*output_log_check)(void *, int);
};

struct siempipe_context {
	void *remote_context;
};

struct siempipe_plugin {
	char *name;
	struct siempipe_api *api;
	void *instance;
	struct siempipe_context *context;
};

static inline int siempipe_log_check(struct siempipe_api *api, void *instance, int level) {
	return api->output_log_check(instance, level);
}

static inline void siempipe_log(struct siempipe_api *api, int level, const char *msg) {
	api->log_print(level, NULL, 0, "%s", msg);
}
*/
import "C"

import (
	"fmt"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"

	"github.com/siempipe/siempipe/fluentbit/plugin"
)

// instances are those of the process by their handle, a byte of the C heap whose address the host keeps. The library's
// own table never lets go of an entry.
var instances sync.Map // of unsafe.Pointer to *plugin.Instance

// settings reads the keys of the instance that is being made.
type settings struct{ plugin unsafe.Pointer }

func (s settings) Get(key string) string { return output.FLBPluginConfigKey(s.plugin, key) }

// logger writes through the host's own logger, at the levels of the instance. It belongs on the host's threads: lines of
// others would pass the log file by.
type logger struct {
	api      *C.struct_siempipe_api
	instance unsafe.Pointer
}

func (l logger) Log(level plugin.Level, msg string) {
	if C.siempipe_log_check(l.api, l.instance, C.int(level)) == 0 {
		return
	}
	text := C.CString(msg)
	defer C.free(unsafe.Pointer(text))
	C.siempipe_log(l.api, C.int(level), text)
}

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) C.int {
	return C.int(output.FLBPluginRegister(def, plugin.Name, plugin.Description))
}

//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) { output.FLBPluginUnregister(def) }

//export FLBPluginInit
func FLBPluginInit(p unsafe.Pointer) (result C.int) {
	host := (*C.struct_siempipe_plugin)(p) // the same for all instances: what is needed later is copied
	log := logger{host.api, host.instance}
	defer caught(log, "init", &result, output.FLB_ERROR)
	instance, err := plugin.New(settings{p}, log)
	if err != nil { // New has said why
		return output.FLB_ERROR
	}
	handle := C.malloc(1)
	instances.Store(handle, instance)
	host.context.remote_context = handle
	return output.FLB_OK
}

//export FLBPluginFlushCtx
func FLBPluginFlushCtx(handle, data unsafe.Pointer, length C.size_t, tag *C.char) C.int {
	instance, ok := instances.Load(handle)
	if !ok {
		return output.FLB_ERROR
	}
	return C.int(instance.(*plugin.Instance).Flush(C.GoString(tag), unsafe.Slice((*byte)(data), int(length))))
}

//export FLBPluginFlush
func FLBPluginFlush(unsafe.Pointer, C.size_t, *C.char) C.int { return output.FLB_ERROR } // hosts before FlushCtx

//export FLBPluginExitCtx
func FLBPluginExitCtx(handle unsafe.Pointer) C.int {
	instance, ok := instances.LoadAndDelete(handle)
	if !ok {
		return output.FLB_ERROR
	}
	C.free(handle)
	instance.(*plugin.Instance).Close()
	return output.FLB_OK
}

//export FLBPluginExit
func FLBPluginExit() C.int { return output.FLB_OK }

// caught turns a panic into a result of the host's.
func caught(log logger, where string, result *C.int, otherwise C.int) {
	if r := recover(); r != nil {
		log.Log(plugin.Error, fmt.Sprintf("[%s] %s: panic: %v\n%s", plugin.Name, where, r, debug.Stack()))
		*result = otherwise
	}
}

func main() {}
