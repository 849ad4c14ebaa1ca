package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// boxed makes a handle of a value, nil being null. The value is Go's, until the queue says that nobody holds it.
func (t *Tasks[V]) boxed(value *V, terms Terms) (*C.kvl_value_t, error) {
	if value == nil {
		return C.kvl_value_null(), nil
	}
	id := cgo.NewHandle(box[V]{*value})
	var handle *C.kvl_value_t
	if err := check(C.go_value(t.queue, C.uintptr_t(id), C.uint64_t(terms.Cost), &handle)); err != nil {
		id.Delete()
		return nil, err
	}
	return handle, nil
}

// box tells values from errors where V is an error type itself.
type box[V any] struct{ value V }

func unboxed[V any](id C.uintptr_t) V { return cgo.Handle(id).Value().(box[V]).value }

// pump reads the queue until it is empty and the cache is closed.
func (t *Tasks[V]) pump(queue *C.kvl_queue_t) {
	defer close(t.pumped)
	// C's memory: it has ids where Go would expect pointers.
	event := (*C.kvl_event_t)(C.malloc(C.sizeof_kvl_event_t))
	defer C.free(unsafe.Pointer(event))
	for {
		switch C.kvl_queue_next(queue, C.KVL_FOREVER, event, C.sizeof_kvl_event_t) {
		case C.KVL_OK:
			t.handle(event)
		default:
			return // It was woken: Close() says that nothing follows.
		}
	}
}

// handle reads all that an event borrows before it returns.
func (t *Tasks[V]) handle(event *C.kvl_event_t) {
	id := C.go_user_data(event)
	switch event.kind {
	case C.KVL_EVENT_RESULT:
		t.tell(id, []Result[V]{t.result(event.result)})
	case C.KVL_EVENT_RESULTS:
		results := make([]Result[V], C.kvl_results_len(event.results))
		for i := range results {
			results[i] = t.result(C.kvl_results_at(event.results, C.size_t(i)))
		}
		t.tell(id, results)
	case C.KVL_EVENT_REQUEST:
		t.ask(event.request)
	case C.KVL_EVENT_CANCEL:
		if cancel, found := t.asked.Load(uintptr(id)); found {
			cancel.(context.CancelFunc)()
		}
	case C.KVL_EVENT_DROP:
		value, isValue := cgo.Handle(id).Value().(box[V])
		cgo.Handle(id).Delete()
		if isValue && t.dropped != nil {
			t.dropped(value.value)
		}
	}
}

func (t *Tasks[V]) tell(id C.uintptr_t, results []Result[V]) {
	w := cgo.Handle(id).Value().(*waiter[V])
	for i := range results {
		results[i].Key = w.keys[i]
	}
	w.results = results
	close(w.told)
}

func (t *Tasks[V]) result(r *C.kvl_result_t) Result[V] {
	result := Result[V]{Status: Status(r.status), Source: Source(r.source), Attempts: int(r.attempts)}
	if result.Status == Value {
		result.Value, result.Found = unboxed[V](C.go_object(r)), true
	} else if result.Status < 0 {
		if id := C.go_error_object(r.error); id != 0 {
			result.Err = cgo.Handle(id).Value().(error)
		} else {
			result.Err = result.Status
		}
	}
	return result
}

func (t *Tasks[V]) ask(handle *C.kvl_request_t) {
	request := &Request[V]{tasks: t, handle: C.kvl_request_retain(handle), id: atomic.AddUintptr(&t.lastID, 1)}
	request.ctx, request.cancel = context.WithCancel(context.Background())
	runtime.SetFinalizer(request, func(r *Request[V]) {
		r.end()
		C.kvl_request_release(r.handle)
	})
	slices := unsafe.Slice(C.kvl_request_keys(handle), int(C.kvl_request_len(handle)))
	for _, slice := range slices {
		request.keys = append(request.keys, stringOf(slice.data, slice.len))
	}
	t.asked.Store(request.id, request.cancel)
	if C.go_on_cancel(handle, C.uintptr_t(request.id)) == C.KVL_ERR_CANCELLED {
		request.cancel()
	}
	go func() {
		hasReturned := false
		defer func() {
			if !hasReturned {
				// It called runtime.Goexit, as a failing test does: who waits must hear of it.
				_ = request.FinishError(errors.New("kvlight: the provider's goroutine ended"))
			}
		}()
		t.provide(request)
		hasReturned = true
	}()
}
