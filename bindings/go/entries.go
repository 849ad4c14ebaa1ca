package kvlight

// #include "shim.h"
import "C"

import "runtime"

// All goes over what the cache holds: `for entry := range users.All() { ... }`, or a call with a function that says whether to go on. Each
// key that is in the cache all the time comes once, whatever other goroutines, or the loop itself, change meanwhile. Nothing is loaded or
// counted as used. It ends early if the cache is closed.
func (t *Tasks[V]) All() func(yield func(Result[V]) bool) {
	return func(yield func(Result[V]) bool) {
		defer runtime.KeepAlive(t)
		t.engine.all(yield)
	}
}

func (e *engine[V]) all(yield func(Result[V]) bool) {
	var iterator *C.kvl_iterator_t
	if e.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t { return C.kvl_iterator_new(cache, &iterator) }) != nil {
		return
	}
	defer C.kvl_iterator_free(iterator)
	for {
		var entry C.kvl_result_t
		status := Status(C.kvl_iterator_next(iterator, &entry, C.sizeof_kvl_result_t))
		if status != Value && status != Null {
			return
		}
		result := Result[V]{Key: stringOf(entry.key, entry.key_len), Status: status, Source: Source(entry.source)}
		if status == Value {
			result.Value, result.Found = unboxed[V](C.go_object(&entry)), true
		}
		if !yield(result) {
			return
		}
	}
}
