package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Request is a request to the provider, whose keys any goroutine can answer. Finish answers the remaining keys with null. A request that becomes
// unreachable before it is finished is finished by the garbage collector, and its open keys fail with ErrUnanswered.
type Request[V any] struct {
	keys   []string
	engine *engine[V]
	// Locked for reading while a call uses the handle, and for writing while it is set to nil.
	mu     sync.RWMutex
	handle *C.kvl_request_t
	id     uintptr
	ctx    context.Context
	cancel context.CancelFunc
}

// KeyErrors is an error that a Provider returns together with its map, to fail some of the keys.
type KeyErrors map[string]error

// Error returns how many keys failed.
func (e KeyErrors) Error() string { return fmt.Sprintf("%d keys failed", len(e)) }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error as permanent: the key is not retried, whatever the retry settings say. Around a KeyErrors it marks each of its errors. The
// result is nil for nil, as it is of Gone and RetryAfter.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

type gone struct{ error }

func (g gone) Unwrap() error { return g.error }

// Gone marks an error like Permanent, and also ends the fallback: an expired value of the key is removed from the store, and not served
// ("stale.ttl_ms").
func Gone(err error) error {
	if err == nil {
		return nil
	}
	return gone{Permanent(err)}
}

type retryAfter struct {
	error
	pause time.Duration
}

func (r retryAfter) Unwrap() error { return r.error }

// RetryAfter gives an error a pause, like HTTP's Retry-After: a retry waits at least that long. Around a KeyErrors it applies to those of its errors
// that have no pause of their own.
func RetryAfter(err error, pause time.Duration) error {
	if err == nil {
		return nil
	}
	return retryAfter{err, pause}
}

// marks is what Permanent, Gone and RetryAfter say about an error.
type marks struct {
	flags    C.uint32_t
	pause    time.Duration
	hasPause bool
}

// marksOf returns the marks of an error, added to `all`, the marks of the KeyErrors that contains the error.
func marksOf(err error, all marks) marks {
	if _, isPermanent := errorAs[permanent](err); isPermanent {
		all.flags |= C.KVL_ERROR_F_PERMANENT
	}
	if _, isGone := errorAs[gone](err); isGone {
		all.flags |= C.KVL_ERROR_F_NO_STALE
	}
	if wait, isFound := errorAs[retryAfter](err); isFound && wait.pause >= 0 {
		all.pause, all.hasPause = wait.pause, true
	}
	return all
}

// Keys returns a new copy of the requested keys. The i-th key of a request stays the same, even if the provider sorts or changes the copy.
func (r *Request[V]) Keys() []string { return append([]string(nil), r.keys...) }

// Context returns a context that is cancelled once no caller waits for the request any longer, or its attempt has timed out. Its
// deadline is that of the attempt, if there is one. Its Err is context.Canceled in both cases.
func (r *Request[V]) Context() context.Context { return r.ctx }

// Attempt returns the number of the i-th key's attempt, from 1; 0 once the request is finished.
func (r *Request[V]) Attempt(i int) (attempt int) {
	_ = r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t {
		attempt = int(C.kvl_request_attempt(handle, C.size_t(i)))
		return C.KVL_OK
	})
	return attempt
}

// withHandle calls a function with the handle, which is not released during the call.
func (r *Request[V]) withHandle(use func(*C.kvl_request_t) C.kvl_status_t) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.handle == nil {
		return ErrAnswered
	}
	return check(use(r.handle))
}

// release releases the handle, and with it the reference to the engine, without waiting for the garbage collector.
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

// Null answers that there is no record of the i-th key.
func (r *Request[V]) Null(i int) error { return r.resolve(i, nil, Terms{}) }

func (r *Request[V]) resolve(i int, value *V, terms Terms) error {
	isTaken := false
	err := r.engine.withTasks(func(*C.kvl_tasks_t) error {
		return r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t {
			handleOfValue, err := r.engine.newHandle(value, terms)
			if err != nil {
				return C.KVL_ERR_NO_MEMORY
			}
			isTaken = true
			defer C.kvl_value_release(handleOfValue)
			return terms.with(func(native *C.kvl_terms_t) C.kvl_status_t {
				return C.kvl_request_resolve(handle, C.size_t(i), handleOfValue, native)
			})
		})
	})
	if !isTaken && value != nil {
		r.engine.drop(*value)
	}
	return err
}

// Stale is the entry that the cache has of a key that the provider is to load.
type Stale[V any] struct {
	// Value is the value, if Found is true.
	Value V
	// Found reports whether there is a value; otherwise the key is known to be absent.
	Found bool
	// Age is the time since the value was loaded, put, or found in the second tier.
	Age time.Duration
	// Version is the version that was stored with the value.
	Version string
}

// Stale returns the entry that the cache has of the i-th key, expired or not, and whether it has one.
func (r *Request[V]) Stale(i int) (stale Stale[V], exists bool) {
	_ = r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t {
		var age C.int64_t
		var version C.kvl_slice_t
		found := C.go_stale(handle, C.size_t(i), &age, &version)
		if exists = found.status == C.KVL_VALUE || found.status == C.KVL_NULL; exists {
			stale.Age, stale.Version = durationOf(age), stringOf(version.data, version.len)
			// The request holds the value, so the lookup finds it.
			stale.Value, stale.Found = r.engine.valueFound(found)
		}
		return found.status
	})
	return stale, exists
}

// NotModified answers the i-th key with the value that Stale returns: the record has not changed. The value gets a new TTL, and keeps its version
// and tags unless the terms state others. The error is Miss if the cache has no entry of the key, which is then not answered.
func (r *Request[V]) NotModified(i int, terms ...Terms) error {
	var t Terms
	if len(terms) > 0 {
		t = terms[0]
	}
	status := C.kvl_status_t(C.KVL_OK)
	err := r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t {
		status = t.with(func(native *C.kvl_terms_t) C.kvl_status_t {
			return C.kvl_request_not_modified(handle, C.size_t(i), native)
		})
		return status
	})
	if err == nil && status == C.KVL_MISS {
		return Miss
	}
	return err
}

// Fail fails the i-th key. Every waiting caller gets the same error.
func (r *Request[V]) Fail(i int, err error) error { return r.fail(i, err, marks{}) }

func (r *Request[V]) fail(i int, err error, all marks) error {
	return r.withError(err, all, func(handle *C.kvl_request_t, nativeError *C.kvl_error_t) C.kvl_status_t {
		return C.kvl_request_fail(handle, C.size_t(i), nativeError)
	})
}

// Finish finishes the request: keys without an answer are null.
func (r *Request[V]) Finish() error {
	defer r.release()
	return r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t { return C.kvl_request_finish_nulls(handle) })
}

// FinishError finishes the request: keys without an answer fail with the error.
func (r *Request[V]) FinishError(err error) error {
	defer r.release()
	return r.withError(err, marks{}, func(handle *C.kvl_request_t, nativeError *C.kvl_error_t) C.kvl_status_t {
		return C.kvl_request_finish_error(handle, nativeError)
	})
}

// withError calls a function with the handle and with the library's form of an error; a nil error becomes ErrProvider. The methods of the error are
// called before the engine is locked, since they may call it.
func (r *Request[V]) withError(err error, all marks, use func(*C.kvl_request_t, *C.kvl_error_t) C.kvl_status_t) error {
	if err == nil {
		err = ErrProvider
	}
	message, marks := messageOf(err), marksOf(err, all)
	return r.engine.withTasks(func(*C.kvl_tasks_t) error {
		id := r.engine.objects.add(&object[V]{err: err})
		if id == 0 {
			return Status(C.KVL_ERR_NO_MEMORY)
		}
		var nativeError *C.kvl_error_t
		if err := check(C.go_error(r.engine.queue, charsOf(message), C.size_t(len(message)), marks.flags, C.uintptr_t(id), &nativeError)); err != nil {
			r.engine.objects.remove(id)
			return err
		}
		defer C.kvl_error_release(nativeError)
		if marks.hasPause {
			C.kvl_error_set_retry_after(nativeError, milliseconds(marks.pause, 0, 0))
		}
		return r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t { return use(handle, nativeError) })
	})
}

// answer calls a provider and answers with its result. Errors of the answers are ignored: after a close no caller waits for them.
func (r *Request[V]) answer(provider Provider[V]) {
	rows, err := provider(r.ctx, r.Keys())
	keyErrors, isForKeys := errorAs[KeyErrors](err)
	if err != nil && !isForKeys {
		r.dropAll(rows, nil)
		_ = r.FinishError(err)
		return
	}
	r.dropAll(rows, r.resolveAll(rows, keyErrors))
	if len(keyErrors) > 0 {
		all := marksOf(err, marks{})
		for i, key := range r.keys {
			if err := keyErrors[key]; err != nil {
				_ = r.fail(i, err, all)
			}
		}
	}
	_ = r.Finish()
}

// resolveAll answers the keys that have a value and no error, in one call to C. It returns for each key whether the library took its value.
func (r *Request[V]) resolveAll(rows map[string]V, keyErrors KeyErrors) (isTaken []bool) {
	isTaken = make([]bool, len(r.keys))
	_ = r.engine.withTasks(func(*C.kvl_tasks_t) error {
		objects := &r.engine.objects
		ids := make([]C.uintptr_t, len(r.keys))
		for i, key := range r.keys {
			if value, found := rows[key]; found && keyErrors[key] == nil {
				ids[i] = C.uintptr_t(objects.add(&object[V]{value: value}))
				isTaken[i] = ids[i] != 0
			}
		}
		err := r.withHandle(func(handle *C.kvl_request_t) C.kvl_status_t {
			C.go_resolve_all(handle, r.engine.queue, &ids[0], C.size_t(len(ids)))
			return C.KVL_OK
		})
		for i, id := range ids {
			if id != 0 {
				objects.remove(uintptr(id))
				isTaken[i] = false
			}
		}
		return err
	})
	return isTaken
}

// dropAll drops the values of a provider that the library did not take: `isTaken` says for each key whether it took its value, or is nil.
func (r *Request[V]) dropAll(rows map[string]V, isTaken []bool) {
	if r.engine.drops.function == nil || len(rows) == 0 {
		return
	}
	taken := make(map[string]bool, len(isTaken))
	for i, isTaken := range isTaken {
		taken[r.keys[i]] = isTaken
	}
	for key, value := range rows {
		if !taken[key] {
			r.engine.drop(value)
		}
	}
}
