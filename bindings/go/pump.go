package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"log"
	"math"
	"runtime"
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"
)

// newHandle creates a handle of a value; nil becomes null. The value stays in `objects` until the queue reports that the library dropped it.
func (e *engine[V]) newHandle(value *V, terms Terms) (*C.kvl_value_t, error) {
	if value == nil {
		return C.kvl_value_null(), nil
	}
	id := e.objects.add(&object[V]{value: *value})
	if id == 0 {
		return nil, Status(C.KVL_ERR_NO_MEMORY)
	}
	var handle *C.kvl_value_t
	if err := check(C.go_value(e.queue, C.uintptr_t(id), C.uint64_t(terms.Cost), &handle)); err != nil {
		e.objects.remove(id)
		return nil, err
	}
	return handle, nil
}

// objectValue returns the value with an ID. The caller holds a handle of it, so that it cannot be dropped meanwhile.
func (e *engine[V]) objectValue(id C.uintptr_t) V { return e.objects.find(uintptr(id)).value }

// maxDrops is the maximum number of dropped objects that one call to C reports.
const maxDrops = 16

// pump reads the queue until it is empty and the cache is closed.
func (e *engine[V]) pump(queue *C.kvl_queue_t) {
	defer close(e.pumpDone)
	defer e.backlog.release(true)
	if err := e.read(queue, e.isEnding.Load); err != nil {
		e.pumpError = fmt.Errorf("kvlight: the library's queue cannot be read any more: %w", err)
		log.Print(e.pumpError, "; fetches that would wait for it fail")
	}
}

// read reads the queue until `until` returns true and the queue is empty. It handles the events and removes what the library dropped.
func (e *engine[V]) read(queue *C.kvl_queue_t, until func() bool) error {
	// The event is in C's memory, since its fields of pointer types hold IDs.
	event := (*C.kvl_event_t)(C.malloc(C.sizeof_kvl_event_t))
	defer C.free(unsafe.Pointer(event))
	dropped := make([]C.uintptr_t, maxDrops)
	isIdle := false
	for {
		var n C.size_t
		isDone, timeout := until(), C.int64_t(0)
		if isIdle && !isDone {
			timeout = C.KVL_FOREVER
		}
		status := C.go_next(queue, timeout, event, &dropped[0], maxDrops, &n)
		for _, id := range dropped[:n] {
			if removed := e.objects.remove(uintptr(id)); removed.err == nil {
				e.drop(removed.value)
			}
		}
		e.backlog.noteRead(queue)
		if isIdle = status == C.KVL_EMPTY && n == 0; isIdle {
			runtime.Gosched() // Writers that can run now fill the queue again, so that the pump need not sleep and be woken.
		}
		switch {
		case status == C.KVL_OK:
			e.handle(event)
		case status < 0:
			return Status(status)
		case n == 0 && isDone:
			return nil
		}
	}
}

// handle handles an event. The memory that the event points to is valid only until handle returns.
func (e *engine[V]) handle(event *C.kvl_event_t) {
	id := idIn(&event.user_data)
	switch event.kind {
	case C.KVL_EVENT_RESULT:
		e.settle(id, []Result[V]{e.result(event.result)})
	case C.KVL_EVENT_RESULTS:
		e.settle(id, e.resultsOf(event.results))
	case C.KVL_EVENT_REQUEST:
		e.startRequest(event.request)
	case C.KVL_EVENT_L2:
		e.startTierRequest(event.l2_request)
	case C.KVL_EVENT_CANCEL:
		if cancel, found := e.cancels.Load(uintptr(id)); found {
			cancel.(context.CancelFunc)()
		}
	}
}

// idIn reads an ID from memory of the library, where it has a pointer type. In a Go variable of a pointer type it would confuse the garbage
// collector.
func idIn(address *unsafe.Pointer) C.uintptr_t { return *(*C.uintptr_t)(unsafe.Pointer(address)) }

func (e *engine[V]) settle(id C.uintptr_t, results []Result[V]) {
	w := cgo.Handle(id).Value().(*waiter[V])
	for i := range results {
		results[i].Key = w.keys[i]
	}
	w.results = results
	close(w.settled)
}

func (e *engine[V]) resultsOf(all *C.kvl_results_t) []Result[V] {
	var stride C.size_t
	first := unsafe.Pointer(C.kvl_results_array(all, &stride))
	results := make([]Result[V], C.kvl_results_len(all))
	for i := range results {
		results[i] = e.result((*C.kvl_result_t)(unsafe.Add(first, i*int(stride))))
	}
	return results
}

func (e *engine[V]) result(r *C.kvl_result_t) Result[V] {
	result := Result[V]{
		Status:   Status(r.status),
		Source:   Source(r.source),
		Attempts: int(r.attempts),
		Age:      durationOf(r.age_ms),
		TTLLeft:  durationOf(r.ttl_left_ms),
		IsStale:  r.flags&C.KVL_F_STALE != 0,
	}
	if result.Status == Value {
		result.Value, result.Found = e.objectValue(idIn(&r.object)), true
	} else if result.Status < 0 {
		result.Err = e.failure(result.Status, r.error)
	}
	if result.IsStale && r.error != nil {
		result.LoadErr = e.failure(Status(C.kvl_error_status(r.error)), r.error)
	}
	return result
}

// durationOf converts milliseconds, up to the longest duration. A negative number stays negative.
func durationOf(ms C.int64_t) time.Duration {
	if ms > math.MaxInt64/C.int64_t(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// EndedError is the error of a key whose fetch ended after failed attempts, for example with a timeout. errors.Is finds both its status, such as
// ErrTimeout, and the error of the last attempt.
type EndedError struct {
	Status Status
	Cause  error
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("%s, after: %s", e.Status, e.Cause)
}

// Is reports whether target is the status, or an error that the status is like: errors.Is(ErrTimeout, context.DeadlineExceeded).
func (e *EndedError) Is(target error) bool { return target == error(e.Status) || e.Status.Is(target) }

// Unwrap returns the cause.
func (e *EndedError) Unwrap() error { return e.Cause }

// failure returns the provider's error, or else the status. If an attempt had failed before, it returns an EndedError with both.
func (e *engine[V]) failure(status Status, err *C.kvl_error_t) error {
	if id := C.go_error_object(err); id != 0 {
		return e.objects.find(uintptr(id)).err
	}
	if cause := C.kvl_error_cause(err); cause != nil {
		return &EndedError{status, e.failure(Status(C.kvl_error_status(cause)), cause)}
	}
	return status
}

func (e *engine[V]) startRequest(handle *C.kvl_request_t) {
	request := &Request[V]{engine: e, handle: C.kvl_request_retain(handle), id: atomic.AddUintptr(&e.lastID, 1)}
	request.ctx, request.cancel = context.WithCancel(context.Background())
	if left := C.kvl_request_time_left_ms(handle); left != C.KVL_FOREVER {
		request.ctx = attemptContext{request.ctx, time.Now().Add(durationOf(left))}
	}
	runtime.SetFinalizer(request, func(r *Request[V]) { r.release() })
	slices := unsafe.Slice(C.kvl_request_keys(handle), int(C.kvl_request_len(handle)))
	for _, slice := range slices {
		request.keys = append(request.keys, stringOf(slice.data, slice.len))
	}
	e.cancels.Store(request.id, request.cancel)
	if C.go_on_cancel(handle, C.uintptr_t(request.id)) == C.KVL_ERR_CANCELLED {
		request.cancel()
	}
	go request.run()
}

// attemptContext has the deadline of an attempt. The library cancels it when the attempt has timed out: a timer here might fire earlier, and what the
// provider then returns would end the attempt in place of the timeout.
type attemptContext struct {
	context.Context
	deadline time.Time
}

func (c attemptContext) Deadline() (time.Time, bool) { return c.deadline, true }

// run calls the provider. If the provider panics or ends its goroutine, the request's keys fail, as with an error.
func (r *Request[V]) run() {
	err := error(goexitError("the provider"))
	defer func() {
		if err != nil {
			_ = r.FinishError(err)
		}
	}()
	err = caught("the provider", func() error {
		r.engine.provide(r)
		return nil
	})
}
