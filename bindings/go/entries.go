package kvlight

// #include "shim.h"
import "C"

import (
	"fmt"
	"runtime"
	"runtime/cgo"
	"strings"
	"unsafe"
)

// All iterates over the entries: `for entry := range users.All() { ... }`. Before Go 1.23, call what All returns with a function that returns whether
// to continue. A key that stays in the cache throughout appears exactly once, whatever other goroutines, or the loop itself, change. Nothing is
// loaded, or counted as used. The iteration ends early if the cache is closed.
func (t *Tasks[V]) All() func(yield func(Result[V]) bool) {
	return func(yield func(Result[V]) bool) {
		defer runtime.KeepAlive(t.reference)
		t.engine.all(yield)
	}
}

func (e *engine[V]) all(yield func(Result[V]) bool) {
	var iterator *C.kvl_iterator_t
	if e.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t { return C.kvl_iterator_new(cache, &iterator) }) != nil {
		return
	}
	defer C.kvl_iterator_free(iterator)
	// The entry is in C's memory, since its field `object` has a pointer type and holds an ID.
	entry := (*C.kvl_result_t)(C.malloc(C.sizeof_kvl_result_t))
	defer C.free(unsafe.Pointer(entry))
	for {
		status := Status(C.kvl_iterator_next(iterator, entry, C.sizeof_kvl_result_t))
		if status != Value && status != Null {
			return
		}
		result := e.result(entry)
		result.Key = stringOf(entry.key, entry.key_len)
		if !yield(result) {
			return
		}
	}
}

var (
	errNoEncode = fmt.Errorf("kvlight: Save needs a function that encodes values: %w", ErrInvalidArg)
	errNoDecode = fmt.Errorf("kvlight: Load needs a function that decodes values: %w", ErrInvalidArg)
)

// FileError is the error of a file that could not be saved or loaded. errors.Is finds its status: ErrIO, ErrCorrupt, ErrTruncated, ErrFileVersion, or
// ErrInvalidArg for a path that names no file.
type FileError struct {
	Status Status
	// Message states the reason and the path of the file.
	Message string
}

func (e *FileError) Error() string { return "kvlight: " + e.Message }

// Unwrap returns the status.
func (e *FileError) Unwrap() error { return e.Status }

// Save writes the entries to a file, with their remaining TTLs, and returns their number. An existing file is replaced once the new one is
// complete. encode turns values into bytes, as json.Marshal does, on the goroutine of Save; its first error ends the save, and so does a panic, with a
// *PanicError. encode may call the cache; if it closes the cache, the save fails with ErrClosed or completes.
func (t *Tasks[V]) Save(path string, encode func(V) ([]byte, error)) (entries int, err error) {
	if encode == nil {
		return 0, errNoEncode
	}
	return t.runTransfer(path, &transfer[V]{engine: t.engine, encode: encode}, true)
}

// Load stores the entries of a saved file, except those whose key has an entry already, and returns the number stored. decode reverses
// encode, on the goroutine of Load; its first error or panic ends the load, and the entries loaded before that stay in the cache. decode may call the
// cache.
func (t *Tasks[V]) Load(path string, decode func([]byte) (V, error)) (entries int, err error) {
	if decode == nil {
		return 0, errNoDecode
	}
	return t.runTransfer(path, &transfer[V]{engine: t.engine, decode: decode}, false)
}

// transfer is a save or a load in progress. The library's call runs on a goroutine of its own and hands each conversion to the goroutine of Save or
// Load. So the program's function has no frames of the library below it when it panics, or ends its goroutine as a failing test does.
type transfer[V any] struct {
	engine *engine[V]
	encode func(V) ([]byte, error)
	decode func([]byte) (V, error)
	// The conversions that the library asks for, and their results. The end of the library's call closes `asked`.
	asked    chan conversion
	answered chan *C.kvl_value_t
	// The first error of a conversion. The goroutine that converts writes it before it answers, the other one reads it after that.
	err error
}

// conversion is what the library wants to be converted: the ID of an object or, in a load, bytes.
type conversion struct {
	object C.uintptr_t
	bytes  []byte
}

func (t *Tasks[V]) runTransfer(path string, work *transfer[V], isSave bool) (int, error) {
	defer runtime.KeepAlive(t.reference)
	if strings.IndexByte(path, 0) >= 0 {
		return 0, &FileError{ErrInvalidArg, fmt.Sprintf("the path %q contains a NUL byte", path)}
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	work.asked, work.answered = make(chan conversion), make(chan *C.kvl_value_t)
	id := cgo.NewHandle(converter(work))
	defer id.Delete()
	// The engine's lock is not held during the transfer: a Close that waited for the lock would block the calls that encode or decode makes.
	var cache *C.kvl_cache_t
	if err := t.engine.withTasks(func(tasks *C.kvl_tasks_t) error { return check(C.kvl_tasks_cache(tasks, &cache)) }); err != nil {
		return 0, err
	}
	defer C.kvl_cache_release(cache)
	var done C.kvl_transfer_t
	var libraryError *C.kvl_error_t
	defer func() { C.kvl_error_release(libraryError) }()
	var status C.kvl_status_t
	go func() {
		defer close(work.asked)
		if isSave {
			status = C.go_save(cache, name, C.uintptr_t(id), &done, &libraryError)
		} else {
			status = C.go_load(cache, name, C.uintptr_t(id), &done, &libraryError)
		}
	}()
	work.convertAll()
	switch {
	case work.err != nil:
		return 0, work.err
	case status == C.KVL_ERR_CLOSED:
		return 0, ErrClosed
	case status < 0:
		return 0, &FileError{Status(status), C.GoString(C.kvl_error_message(libraryError))}
	}
	return int(done.entries), nil
}

// convertAll converts what the library asks for until its call has ended, also if the program's function ends the goroutine.
func (t *transfer[V]) convertAll() {
	isConverting := false
	defer func() {
		if isConverting {
			t.err = goexitError(converting)
			t.answered <- nil
			for range t.asked {
				t.answered <- nil
			}
		}
	}()
	for wanted := range t.asked {
		isConverting = true
		value := t.convert(wanted)
		isConverting = false
		t.answered <- value
	}
}

const converting = "the function that converts values"

// convert returns the converted value, or nil with the error in `err`.
func (t *transfer[V]) convert(wanted conversion) (value *C.kvl_value_t) {
	t.err = caught(converting, func() (err error) {
		if t.encode != nil {
			value, err = t.encodeObject(wanted.object)
		} else {
			value, err = t.decodeBytes(wanted.bytes)
		}
		return err
	})
	return value
}

func (t *transfer[V]) encodeObject(object C.uintptr_t) (value *C.kvl_value_t, err error) {
	bytes, err := t.encode(t.engine.objectValue(object))
	if err == nil {
		bytes := append(bytes[:len(bytes):len(bytes)], 0) // a NUL, so that an empty slice has a first byte too
		err = check(C.kvl_value_new_bytes((*C.uint8_t)(&bytes[0]), C.size_t(len(bytes)-1), &value))
	}
	return value, err
}

func (t *transfer[V]) decodeBytes(bytes []byte) (*C.kvl_value_t, error) {
	value, err := t.decode(bytes)
	if err != nil {
		return nil, err
	}
	return t.engine.hold(value)
}

// converter is a transfer without its type parameter. The library calls its methods on the goroutine of its call.
type converter interface {
	ask(conversion) *C.kvl_value_t
	hasFailed() bool
}

func (t *transfer[V]) hasFailed() bool { return t.err != nil }

func (t *transfer[V]) ask(wanted conversion) *C.kvl_value_t {
	t.asked <- wanted
	return <-t.answered
}

//export kvlGoEncode
func kvlGoEncode(id C.uintptr_t, object C.uintptr_t) *C.kvl_value_t {
	if work := cgo.Handle(id).Value().(converter); !work.hasFailed() {
		return work.ask(conversion{object: object})
	}
	return nil
}

//export kvlGoDecode
func kvlGoDecode(id C.uintptr_t, data *C.uint8_t, length C.size_t) *C.kvl_value_t {
	if work := cgo.Handle(id).Value().(converter); !work.hasFailed() {
		// Not C.GoBytes, whose length is an int of C.
		return work.ask(conversion{bytes: append([]byte{}, unsafe.Slice((*byte)(data), int(length))...)})
	}
	return nil
}

//export kvlGoShouldStop
func kvlGoShouldStop(id C.uintptr_t) C.int32_t {
	if cgo.Handle(id).Value().(converter).hasFailed() {
		return 1
	}
	return 0
}
