package kvlight

// #cgo CFLAGS: -I${SRCDIR} -I${SRCDIR}/../../redis/include
// #cgo linux LDFLAGS: -ldl
// #include "redis.h"
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// redisTier is the connection of a Sharing with a URL. libkvlight_redis, which it loads, serves the requests.
type redisTier struct {
	native *C.go_redis_t
}

var (
	errNoURL    = errors.New("kvlight: these Tasks have no Sharing with a URL")
	errNULInURL = fmt.Errorf("kvlight: the URL of a Sharing contains a NUL byte: %w", ErrBadValue)
)

// redisPaths returns where libkvlight_redis may be: the path in KVL_REDIS_LIBRARY, or else its name on the system's library path.
func redisPaths() []string {
	if path := os.Getenv("KVL_REDIS_LIBRARY"); path != "" {
		return []string{path}
	}
	if runtime.GOOS == "darwin" {
		return []string{"libkvlight_redis.dylib"}
	}
	version := strings.SplitN(C.GoString(C.kvl_version_string()), ".", 3)
	return []string{"libkvlight_redis.so." + version[0] + "." + version[1]}
}

func openRedis(url string) (*redisTier, error) {
	if strings.IndexByte(url, 0) >= 0 {
		return nil, errNULInURL
	}
	// The text that go_redis_load returns belongs to this thread: the next failure of dlopen on it overwrites the text.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	native := (*C.go_redis_t)(C.calloc(1, C.size_t(unsafe.Sizeof(C.go_redis_t{}))))
	tier := &redisTier{native}
	runtime.SetFinalizer(tier, func(tier *redisTier) { C.go_redis_free(tier.native) })
	var failures []string
	for _, path := range redisPaths() {
		text := C.CString(path)
		why := C.go_redis_load(native, text)
		C.free(unsafe.Pointer(text))
		if why == nil {
			return tier, tier.connect(url)
		}
		failures = append(failures, fmt.Sprintf("%s (%s)", path, C.GoString(why)))
	}
	return nil, fmt.Errorf("kvlight: the URL of a Sharing needs libkvlight_redis, which cannot be loaded: tried %s. Build it by `make redis` in "+
		"kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path", strings.Join(failures, ", "))
}

func (t *redisTier) connect(url string) error {
	text := C.CString(url)
	defer C.free(unsafe.Pointer(text))
	var problem *C.kvl_error_t
	status := C.go_redis_open(t.native, text, &problem)
	if status >= 0 {
		return nil
	}
	defer C.kvl_error_release(problem)
	return errorWithMessage(Status(status), C.kvl_error_message(problem))
}

// attach lets the connection invalidate in the engine what other processes write, until stop is called.
func (t *redisTier) attach(tasks *C.kvl_tasks_t) error {
	defer runtime.KeepAlive(t)
	return check(C.go_redis_attach(t.native, tasks))
}

// stop ends the connection, if there is one, and waits for its thread. Afterwards it does not use the engine.
func (t *redisTier) stop() {
	if t != nil {
		C.go_redis_stop(t.native)
		runtime.KeepAlive(t)
	}
}

// serve serves a request and waits for the server. It calls `hit` with each object that was found, and returns whether the server answered.
func (t *redisTier) serve(request *C.kvl_l2_request_t, hit func(C.size_t, TierFound) error) (bool, error) {
	defer runtime.KeepAlive(t)
	var found *C.kvl_redis_found_t
	var count C.size_t
	if C.go_redis_serve(t.native, request, &found, &count) < 0 {
		return false, nil
	}
	defer C.go_redis_found_free(t.native, found, count)
	for i := C.size_t(0); i < count; i++ {
		one := C.go_redis_found_at(found, i)
		err := hit(one.index, TierFound{Data: []byte(stringOf(one.data, one.len)), TTLLeft: ttlLeftOf(one.ttl_left_ms), Token: []byte(stringOf(one.token, one.token_len))})
		if err != nil {
			return true, err
		}
	}
	return true, nil
}

// ttlLeftOf converts the milliseconds until an entry expires to TierFound.TTLLeft.
func ttlLeftOf(ms C.int64_t) time.Duration {
	switch ms {
	case C.KVL_TTL_NEVER:
		return TierTTLNever
	case C.KVL_L2_TTL_UNKNOWN:
		return 0
	case 0:
		return -1 // it has expired
	default:
		return durationOf(ms)
	}
}

// L2State returns the state of the connection to the server of a Sharing with a URL: whether it is connected, and if not, what is wrong and how to fix it.
// It has the members of kvl_redis_state.
func (t *Tasks[V]) L2State() (state map[string]any, err error) {
	defer runtime.KeepAlive(t.reference)
	if t.engine.redis == nil {
		return nil, errNoURL
	}
	var text *C.kvl_value_t
	if err := check(C.go_redis_state(t.engine.redis.native, &text)); err != nil {
		return nil, err
	}
	defer C.kvl_value_release(text)
	var length C.size_t
	data := C.kvl_value_data(text, &length)
	// Two statements: Go does not specify whether one would read `state` before the call or after it.
	err = json.Unmarshal([]byte(stringOf(data, length)), &state)
	return state, err
}
