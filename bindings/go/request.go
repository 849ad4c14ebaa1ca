package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime/cgo"
	"sync"
	"time"
)

// Request is what a provider is handed: keys to answer, from any goroutine. What has no answer at the Finish is null. A request that is
// forgotten is finished by the collector, its open keys failing with ErrUnanswered.
type Request[V any] struct {
	keys   []string
	engine *engine[V]
	// Held for reading while a call uses the handle; for writing while it is given up.
	mu     sync.RWMutex
	handle *C.kvl_request_t
	id     uintptr
	ctx    context.Context
	cancel context.CancelFunc
}

// KeyErrors is returned by a Provider beside its map to fail some keys alone.
type KeyErrors map[string]error

func (e KeyErrors) Error() string { return fmt.Sprintf("%d keys failed", len(e)) }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error as one that trying again does not help, whatever the retry settings say.
func Permanent(err error) error { return permanent{err} }

type gone struct{ error }

func (g gone) Unwrap() error { return g.error }

// Gone marks an error as Permanent does, where an older value is worth nothing either: no fallback serves in its place ("stale.ttl_ms"), and it
// leaves the store.
func Gone(err error) error { return gone{Permanent(err)} }

type retryAfter struct {
	error
	pause time.Duration
}

func (r retryAfter) Unwrap() error { return r.error }

// RetryAfter marks an error with the pause after which trying again makes sense, as HTTP's Retry-After does: a retry waits at least that long.
func RetryAfter(err error, pause time.Duration) error { return retryAfter{err, pause} }

// Keys are the keys that are asked for.
func (r *Request[V]) Keys() []string { return r.keys }

// Context ends when nobody waits for the request any more, or its time is over.
func (r *Request[V]) Context() context.Context { return r.ctx }

// Attempt says which attempt the i-th key is in, from 1.
func (r *Request[V]) Attempt(i int) (attempt int) {
	_ = r.used(func(handle *C.kvl_request_t) C.kvl_status_t {
		attempt = int(C.kvl_request_attempt(handle, C.size_t(i)))
		return C.KVL_OK
	})
	return attempt
}

// used calls with the handle, which is not given up meanwhile.
func (r *Request[V]) used(use func(*C.kvl_request_t) C.kvl_status_t) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.handle == nil {
		return ErrAnswered
	}
	return check(use(r.handle))
}

// release gives the handle up: what it holds of the engine is not to wait for the collector.
func (r *Request[V]) release() {
	r.engine.asked.Delete(r.id)
	r.cancel()
	r.mu.Lock()
	handle := r.handle
	r.handle = nil
	r.mu.Unlock()
	C.kvl_request_release(handle)
}

// Resolve answers the i-th key.
func (r *Request[V]) Resolve(i int, value V, terms ...Terms) error {
	var t Terms
	if len(terms) > 0 {
		t = terms[0]
	}
	return r.resolve(i, &value, t)
}

// Null answers the i-th key: there is no such record.
func (r *Request[V]) Null(i int) error { return r.resolve(i, nil, Terms{}) }

func (r *Request[V]) resolve(i int, value *V, terms Terms) error {
	return r.engine.used(func(*C.kvl_tasks_t) error {
		return r.used(func(handle *C.kvl_request_t) C.kvl_status_t {
			boxed, err := r.engine.boxed(value, terms)
			if err != nil {
				return C.KVL_ERR_NO_MEMORY
			}
			defer C.kvl_value_release(boxed)
			return C.kvl_request_resolve(handle, C.size_t(i), boxed, terms.stated())
		})
	})
}

// Fail fails the i-th key; the very error arrives at everybody who waits.
func (r *Request[V]) Fail(i int, why error) error {
	return r.withError(why, func(handle *C.kvl_request_t, err *C.kvl_error_t) C.kvl_status_t {
		return C.kvl_request_fail(handle, C.size_t(i), err)
	})
}

// Finish ends the request: what has no answer is null.
func (r *Request[V]) Finish() error {
	defer r.release()
	return r.used(func(handle *C.kvl_request_t) C.kvl_status_t { return C.kvl_request_finish_nulls(handle) })
}

// FinishError ends the request: what has no answer fails.
func (r *Request[V]) FinishError(why error) error {
	defer r.release()
	return r.withError(why, func(handle *C.kvl_request_t, err *C.kvl_error_t) C.kvl_status_t {
		return C.kvl_request_finish_error(handle, err)
	})
}

func (r *Request[V]) withError(why error, use func(*C.kvl_request_t, *C.kvl_error_t) C.kvl_status_t) error {
	return r.engine.used(func(*C.kvl_tasks_t) error {
		flags := C.uint32_t(0)
		if forGood := (permanent{}); errors.As(why, &forGood) {
			flags = C.KVL_ERROR_F_PERMANENT
		}
		if forGood := (gone{}); errors.As(why, &forGood) {
			flags |= C.KVL_ERROR_F_NO_STALE
		}
		message, id := said(why), cgo.NewHandle(why)
		var err *C.kvl_error_t
		if err := check(C.go_error(r.engine.queue, charsOf(message), C.size_t(len(message)), flags, C.uintptr_t(id), &err)); err != nil {
			id.Delete()
			return err
		}
		defer C.kvl_error_release(err)
		if later := (retryAfter{}); errors.As(why, &later) && later.pause >= 0 {
			C.kvl_error_set_retry_after(err, milliseconds(later.pause, 0, 0))
		}
		return r.used(func(handle *C.kvl_request_t) C.kvl_status_t { return use(handle, err) })
	})
}

// said is an error's text; an error whose Error panics arrives all the same.
func said(why error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error that cannot be shown"
		}
	}()
	return why.Error()
}

// answer runs a provider and answers with what it returned. After a close nobody waits, so nobody misses what is refused.
func (r *Request[V]) answer(provider Provider[V]) {
	rows, err := provider(r.ctx, r.keys)
	var some KeyErrors
	if err != nil && !errors.As(err, &some) {
		_ = r.FinishError(err)
		return
	}
	for i, key := range r.keys {
		if why := some[key]; why != nil {
			_ = r.Fail(i, why)
		} else if row, found := rows[key]; found {
			_ = r.Resolve(i, row)
		}
	}
	_ = r.Finish()
}
