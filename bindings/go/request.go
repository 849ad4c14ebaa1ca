package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Request is a request of the provider: keys to answer, from any goroutine. Keys without an answer at Finish are null. A request that is
// dropped unfinished is finished by the garbage collector, and its open keys fail with ErrUnanswered.
type Request[V any] struct {
	keys   []string
	engine *engine[V]
	// Held for reading while a call uses the handle; for writing while it is released.
	mu     sync.RWMutex
	handle *C.kvl_request_t
	id     uintptr
	ctx    context.Context
	cancel context.CancelFunc
}

// KeyErrors is returned by a Provider together with its map, to fail single keys.
type KeyErrors map[string]error

func (e KeyErrors) Error() string { return fmt.Sprintf("%d keys failed", len(e)) }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error as permanent: the key is not retried, whatever the retry settings say.
func Permanent(err error) error { return permanent{err} }

type gone struct{ error }

func (g gone) Unwrap() error { return g.error }

// Gone marks an error like Permanent, but an older value is invalid too: it is removed from the store and not served as a fallback
// ("stale.ttl_ms").
func Gone(err error) error { return gone{Permanent(err)} }

type retryAfter struct {
	error
	pause time.Duration
}

func (r retryAfter) Unwrap() error { return r.error }

// RetryAfter marks an error with a pause, like HTTP's Retry-After: a retry waits at least that long.
func RetryAfter(err error, pause time.Duration) error { return retryAfter{err, pause} }

// Keys returns the requested keys.
func (r *Request[V]) Keys() []string { return r.keys }

// Context returns a context that ends when no caller waits for the request any longer, or when its attempt has timed out.
func (r *Request[V]) Context() context.Context { return r.ctx }

// Attempt returns the number of the i-th key's attempt, from 1.
func (r *Request[V]) Attempt(i int) (attempt int) {
	_ = r.used(func(handle *C.kvl_request_t) C.kvl_status_t {
		attempt = int(C.kvl_request_attempt(handle, C.size_t(i)))
		return C.KVL_OK
	})
	return attempt
}

// used calls a function with the handle, which is not released during the call.
func (r *Request[V]) used(use func(*C.kvl_request_t) C.kvl_status_t) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.handle == nil {
		return ErrAnswered
	}
	return check(use(r.handle))
}

// release releases the handle, so that its reference to the engine does not wait for the garbage collector.
func (r *Request[V]) release() {
	r.engine.cancels.Delete(r.id)
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
			return terms.with(func(stated *C.kvl_terms_t) C.kvl_status_t {
				return C.kvl_request_resolve(handle, C.size_t(i), boxed, stated)
			})
		})
	})
}

// Stale is what the cache has of a key that a provider is asked for.
type Stale[V any] struct {
	// Found reports whether there is a Value; otherwise the key is known to be absent.
	Value V
	Found bool
	// Age is the time since the value was loaded or put.
	Age time.Duration
	// Version is the one that was stated with the value.
	Version string
}

// Stale returns what the cache has of the i-th key, expired or not, and whether it has something.
func (r *Request[V]) Stale(i int) (stale Stale[V], isHeld bool) {
	_ = r.used(func(handle *C.kvl_request_t) C.kvl_status_t {
		var age C.int64_t
		var version C.kvl_slice_t
		found := C.go_stale(handle, C.size_t(i), &age, &version)
		if isHeld = found.status == C.KVL_VALUE || found.status == C.KVL_NULL; isHeld {
			stale.Age, stale.Version = durationOf(age), stringOf(version.data, version.len)
			// The request holds the value, so its number is not forgotten.
			stale.Value, stale.Found = r.engine.taken(found)
		}
		return found.status
	})
	return stale, isHeld
}

// NotModified answers the i-th key with what Stale returns: the record has not changed. The same value gets a new TTL, and keeps its version
// and its tags unless the terms state others. The error is Miss if the cache has nothing of the key, which is then not answered.
func (r *Request[V]) NotModified(i int, terms ...Terms) error {
	var t Terms
	if len(terms) > 0 {
		t = terms[0]
	}
	status := C.kvl_status_t(C.KVL_OK)
	err := r.used(func(handle *C.kvl_request_t) C.kvl_status_t {
		status = t.with(func(stated *C.kvl_terms_t) C.kvl_status_t {
			return C.kvl_request_not_modified(handle, C.size_t(i), stated)
		})
		return status
	})
	if err == nil && status == C.KVL_MISS {
		return Miss
	}
	return err
}

// Fail fails the i-th key; every waiting caller gets the same error.
func (r *Request[V]) Fail(i int, why error) error {
	return r.withError(why, func(handle *C.kvl_request_t, err *C.kvl_error_t) C.kvl_status_t {
		return C.kvl_request_fail(handle, C.size_t(i), err)
	})
}

// Finish finishes the request: keys without an answer are null.
func (r *Request[V]) Finish() error {
	defer r.release()
	return r.used(func(handle *C.kvl_request_t) C.kvl_status_t { return C.kvl_request_finish_nulls(handle) })
}

// FinishError finishes the request: keys without an answer fail with the error.
func (r *Request[V]) FinishError(why error) error {
	defer r.release()
	return r.withError(why, func(handle *C.kvl_request_t, err *C.kvl_error_t) C.kvl_status_t {
		return C.kvl_request_finish_error(handle, err)
	})
}

func (r *Request[V]) withError(why error, use func(*C.kvl_request_t, *C.kvl_error_t) C.kvl_status_t) error {
	if why == nil {
		why = ErrProvider
	}
	return r.engine.used(func(*C.kvl_tasks_t) error {
		flags := C.uint32_t(0)
		if forGood := (permanent{}); errors.As(why, &forGood) {
			flags = C.KVL_ERROR_F_PERMANENT
		}
		if forGood := (gone{}); errors.As(why, &forGood) {
			flags |= C.KVL_ERROR_F_NO_STALE
		}
		message, number := messageOf(why), r.engine.objects.add(&object[V]{err: why})
		if number == 0 {
			return Status(C.KVL_ERR_NO_MEMORY)
		}
		var err *C.kvl_error_t
		if err := check(C.go_error(r.engine.queue, charsOf(message), C.size_t(len(message)), flags, C.uintptr_t(number), &err)); err != nil {
			r.engine.objects.remove(number)
			return err
		}
		defer C.kvl_error_release(err)
		if later := (retryAfter{}); errors.As(why, &later) && later.pause >= 0 {
			C.kvl_error_set_retry_after(err, milliseconds(later.pause, 0, 0))
		}
		return r.used(func(handle *C.kvl_request_t) C.kvl_status_t { return use(handle, err) })
	})
}

// messageOf returns an error's message; an error whose Error method panics is delivered without one.
func messageOf(why error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error that cannot be shown"
		}
	}()
	return why.Error()
}

// answer runs a provider and answers with its result. A refusal is ignored: after a close no caller waits.
func (r *Request[V]) answer(provider Provider[V]) {
	rows, err := provider(r.ctx, r.keys)
	var some KeyErrors
	if err != nil && !errors.As(err, &some) {
		_ = r.FinishError(err)
		return
	}
	_ = r.resolveAll(func(key string) (value V, found bool) {
		if some[key] != nil {
			return value, false
		}
		value, found = rows[key]
		return value, found
	})
	for i, key := range r.keys {
		if why := some[key]; why != nil {
			_ = r.Fail(i, why)
		}
	}
	_ = r.Finish()
}

// resolveAll answers the keys that a function finds, in one call of the library.
func (r *Request[V]) resolveAll(find func(key string) (V, bool)) error {
	return r.engine.used(func(*C.kvl_tasks_t) error {
		objects := &r.engine.objects
		numbers := make([]C.uintptr_t, len(r.keys))
		for i, key := range r.keys {
			if value, found := find(key); found {
				numbers[i] = C.uintptr_t(objects.add(&object[V]{value: value}))
			}
		}
		err := r.used(func(handle *C.kvl_request_t) C.kvl_status_t {
			C.go_resolve_all(handle, r.engine.queue, &numbers[0], C.size_t(len(numbers)))
			return C.KVL_OK
		})
		for _, number := range numbers {
			if number != 0 {
				objects.remove(uintptr(number))
			}
		}
		return err
	})
}
