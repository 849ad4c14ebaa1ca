package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
)

// Request is what a provider is handed: keys to answer, from any goroutine. What has no answer at the Finish is null. A request that is
// forgotten is finished by the collector, its open keys failing with ErrUnanswered.
type Request[V any] struct {
	keys   []string
	tasks  *Tasks[V]
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

// Keys are the keys that are asked for.
func (r *Request[V]) Keys() []string { return r.keys }

// Context ends when nobody waits for the request any more, or its time is over.
func (r *Request[V]) Context() context.Context { return r.ctx }

// Attempt says which attempt the i-th key is in, from 1.
func (r *Request[V]) Attempt(i int) int { return int(C.kvl_request_attempt(r.handle, C.size_t(i))) }

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
	defer runtime.KeepAlive(r)
	return r.tasks.used(func(*C.kvl_tasks_t) error {
		handle, err := r.tasks.boxed(value, terms)
		if err != nil {
			return err
		}
		defer C.kvl_value_release(handle)
		return check(C.kvl_request_resolve(r.handle, C.size_t(i), handle, terms.stated()))
	})
}

// Fail fails the i-th key; the very error arrives at everybody who waits.
func (r *Request[V]) Fail(i int, why error) error {
	defer runtime.KeepAlive(r)
	return r.withError(why, func(handle *C.kvl_error_t) C.kvl_status_t { return C.kvl_request_fail(r.handle, C.size_t(i), handle) })
}

// Finish ends the request: what has no answer is null.
func (r *Request[V]) Finish() error {
	defer r.end()
	return check(C.kvl_request_finish_nulls(r.handle))
}

// FinishError ends the request: what has no answer fails.
func (r *Request[V]) FinishError(why error) error {
	defer r.end()
	return r.withError(why, func(handle *C.kvl_error_t) C.kvl_status_t { return C.kvl_request_finish_error(r.handle, handle) })
}

func (r *Request[V]) end() {
	r.tasks.asked.Delete(r.id)
	r.cancel()
	runtime.KeepAlive(r)
}

func (r *Request[V]) withError(why error, use func(*C.kvl_error_t) C.kvl_status_t) error {
	return r.tasks.used(func(*C.kvl_tasks_t) error {
		flags := C.uint32_t(0)
		if forGood := (permanent{}); errors.As(why, &forGood) {
			flags = C.KVL_ERROR_F_PERMANENT
		}
		message, id := why.Error(), cgo.NewHandle(why)
		var handle *C.kvl_error_t
		if err := check(C.go_error(r.tasks.queue, charsOf(message), C.size_t(len(message)), flags, C.uintptr_t(id), &handle)); err != nil {
			id.Delete()
			return err
		}
		defer C.kvl_error_release(handle)
		return check(use(handle))
	})
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
