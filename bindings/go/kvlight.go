// Package kvlight is a loading cache: keys are asked for, and what memory lacks is fetched from a provider, each key once however many
// ask, many keys in one request.
//
//	users, err := kvlight.New(func(ctx context.Context, ids []string) (map[string]User, error) {
//		return db.Users(ctx, ids) // called with the keys that the cache lacks; keys left out are remembered as absent
//	}, kvlight.Settings{"cache.capacity": 10_000})
//	defer users.Close()
//
//	user, found, err := users.Fetch(ctx, "7")
//	all, err := users.FetchAll(ctx, []string{"7", "8", "7"})
//
// Values are any Go values and stay Go's; the library holds handles of them. Errors of the provider arrive as they are at everybody who
// waited. One goroutine reads the library's queue; providers run on goroutines of their own.
package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime/cgo"
	"sync"
	"time"
)

// Provider answers keys: those that are not in the map it returns are absent. An error fails them all; KeyErrors fails some.
type Provider[V any] func(ctx context.Context, keys []string) (map[string]V, error)

// Tasks is a cache with a provider behind it. Its methods may be called from every goroutine.
type Tasks[V any] struct {
	provide func(*Request[V])
	dropped func(V)

	// Held for reading while a call uses what follows; for writing while it is freed.
	mu    sync.RWMutex
	tasks *C.kvl_tasks_t
	queue *C.kvl_queue_t

	// What ends the contexts of requests, by id.
	asked  sync.Map
	lastID uintptr
	pumped chan struct{}
}

// Result is what became of one key.
type Result[V any] struct {
	Key string
	// Found says whether there is a Value; without one and without an Err the key is known to be absent, or not in the cache.
	Value    V
	Found    bool
	Err      error
	Status   Status
	Source   Source
	Attempts int
}

// New makes a cache whose provider returns maps.
func New[V any](provider Provider[V], settings Settings, options ...Option[V]) (*Tasks[V], error) {
	return NewWithRequests(func(request *Request[V]) { request.answer(provider) }, settings, options...)
}

// NewWithRequests makes a cache whose provider answers key by key, now or later.
func NewWithRequests[V any](provide func(*Request[V]), settings Settings, options ...Option[V]) (*Tasks[V], error) {
	config, err := settings.config()
	if err != nil {
		return nil, err
	}
	defer C.kvl_config_free(config)
	t := &Tasks[V]{provide: provide, pumped: make(chan struct{})}
	for _, option := range options {
		option(t)
	}
	var queue *C.kvl_queue_t
	if err := check(C.kvl_queue_new(0, &queue)); err != nil {
		return nil, err
	}
	C.kvl_config_set_queue(config, queue, C.KVL_QUEUE_F_ALL)
	C.go_provider(config)
	var tasks *C.kvl_tasks_t
	if err := check(C.kvl_tasks_new(config, &tasks, nil)); err != nil {
		C.kvl_queue_free(queue)
		return nil, err
	}
	t.tasks, t.queue = tasks, queue
	go t.pump(queue)
	return t, nil
}

// Option is something of a cache that is no setting.
type Option[V any] func(*Tasks[V])

// Dropped asks to be told of each value once cache and fetches hold it no more. The function must neither wait for
// this cache nor close it.
func Dropped[V any](function func(V)) Option[V] {
	return func(t *Tasks[V]) { t.dropped = function }
}

// Close ends the cache: who waits is told ErrClosed, contexts of requests are cancelled. It does not wait for providers.
func (t *Tasks[V]) Close() {
	t.mu.Lock()
	tasks, queue := t.tasks, t.queue
	if tasks != nil {
		C.kvl_tasks_free(tasks)
		t.tasks, t.queue = nil, nil
	}
	t.mu.Unlock()
	if tasks == nil {
		return
	}
	// The pump reads to the end before it heeds this.
	C.kvl_queue_wake(queue)
	<-t.pumped
	C.kvl_queue_free(queue)
	t.asked.Range(func(_, cancel any) bool {
		cancel.(context.CancelFunc)()
		return true
	})
}

// used calls with the engine, which is not freed meanwhile.
func (t *Tasks[V]) used(use func(*C.kvl_tasks_t) error) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.tasks == nil {
		return ErrClosed
	}
	return use(t.tasks)
}

// Get looks into the cache, without asking the provider.
func (t *Tasks[V]) Get(key string) (value V, found bool, err error) {
	status, value, err := t.look(key)
	return value, status == Value, err
}

func (t *Tasks[V]) look(key string) (status Status, found V, err error) {
	err = t.used(func(tasks *C.kvl_tasks_t) error {
		var value *C.kvl_value_t
		status = Status(C.kvl_tasks_get(tasks, bytesOf(key), C.size_t(len(key)), &value))
		if status == Value {
			found = unboxed[V](C.go_value_object(value))
			C.kvl_value_release(value)
		}
		return check(C.kvl_status_t(status))
	})
	return status, found, err
}

// Fetch returns the value of a key, and whether there is one. It waits for the provider, until the context ends.
func (t *Tasks[V]) Fetch(ctx context.Context, key string, settings ...Settings) (V, bool, error) {
	if len(settings) == 0 {
		if status, value, err := t.look(key); err != nil || status != Miss {
			return value, status == Value, err
		}
	}
	results, err := t.wait(ctx, []string{key}, settings, func(tasks *C.kvl_tasks_t, options *C.kvl_options_t, fetch *C.kvl_fetch_t, id C.uintptr_t) C.kvl_status_t {
		return C.go_fetch(tasks, bytesOf(key), C.size_t(len(key)), options, fetch, id)
	})
	if err == nil {
		return results[0].Value, results[0].Found, results[0].Err
	}
	var none V
	return none, false, err
}

// FetchAll returns the values of those keys that have one, or the first error.
func (t *Tasks[V]) FetchAll(ctx context.Context, keys []string, settings ...Settings) (map[string]V, error) {
	results, err := t.Results(ctx, keys, settings...)
	if err != nil {
		return nil, err
	}
	values := make(map[string]V, len(results))
	for _, result := range results {
		if result.Err != nil {
			return nil, result.Err
		}
		if result.Found {
			values[result.Key] = result.Value
		}
	}
	return values, nil
}

// Results returns what became of each key, in the order asked. Its error is that of the whole: the context's, or a refusal.
func (t *Tasks[V]) Results(ctx context.Context, keys []string, settings ...Settings) ([]Result[V], error) {
	bytes, lengths := packed(keys)
	return t.wait(ctx, keys, settings, func(tasks *C.kvl_tasks_t, options *C.kvl_options_t, fetch *C.kvl_fetch_t, id C.uintptr_t) C.kvl_status_t {
		return C.go_fetch_all(tasks, (*C.uint8_t)(&bytes[0]), C.size_t(len(bytes)-1), &lengths[0], C.size_t(len(keys)), options, fetch, id)
	})
}

// waiter is a fetch under way, as the pump knows it.
type waiter[V any] struct {
	keys    []string
	results []Result[V]
	told    chan struct{}
}

type call func(*C.kvl_tasks_t, *C.kvl_options_t, *C.kvl_fetch_t, C.uintptr_t) C.kvl_status_t

func (t *Tasks[V]) wait(ctx context.Context, keys []string, settings []Settings, begin call) ([]Result[V], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := Settings{}
	for _, some := range settings {
		for name, value := range some {
			all[name] = value
		}
	}
	options, err := all.options()
	if err != nil {
		return nil, err
	}
	defer C.kvl_options_free(options)
	var fetch *C.kvl_fetch_t
	if err := check(C.kvl_fetch_new(&fetch)); err != nil {
		return nil, err
	}
	defer C.kvl_fetch_release(fetch)

	w := &waiter[V]{keys: keys, told: make(chan struct{})}
	id := cgo.NewHandle(w)
	// The pump has it until the last event, which comes also after a cancel.
	defer id.Delete()
	err = t.used(func(tasks *C.kvl_tasks_t) error { return check(begin(tasks, options, fetch, C.uintptr_t(id))) })
	if err != nil {
		return nil, err
	}
	select {
	case <-w.told:
	case <-ctx.Done():
		C.kvl_fetch_cancel(fetch)
		<-w.told
		for _, result := range w.results {
			if result.Status == ErrCancelled {
				return nil, ctx.Err()
			}
		}
	}
	return w.results, nil
}

// Terms are the terms on which a value is stored; the zero Terms leave all to the settings.
type Terms struct {
	// TTL is how long it lives; below 0 for ever. 0 leaves it to the settings.
	TTL time.Duration
	// Cost is what it costs to keep, in bytes.
	Cost uint64
}

func (terms Terms) ttl() C.int64_t {
	switch {
	case terms.TTL == 0:
		return C.KVL_TTL_DEFAULT
	case terms.TTL < 0:
		return C.KVL_TTL_NEVER
	case terms.TTL < time.Millisecond:
		return 1
	default:
		return C.int64_t(terms.TTL.Milliseconds())
	}
}

// stated are the terms as the library reads them; the cost is the value's own.
func (terms Terms) stated() *C.kvl_terms_t {
	return &C.kvl_terms_t{
		struct_size: C.sizeof_kvl_terms_t,
		ttl_ms:      terms.ttl(),
		priority:    C.KVL_PRIORITY_DEFAULT,
		cost:        C.KVL_COST_DEFAULT,
	}
}

// Put stores a value, and says whether it got in.
func (t *Tasks[V]) Put(key string, value V, terms Terms) (bool, error) {
	return t.put(key, &value, terms)
}

// PutNull stores that there is no such record.
func (t *Tasks[V]) PutNull(key string) (bool, error) {
	return t.put(key, nil, Terms{})
}

func (t *Tasks[V]) put(key string, value *V, terms Terms) (isIn bool, err error) {
	err = t.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t {
		handle, err := t.boxed(value, terms)
		if err != nil {
			return C.KVL_ERR_NO_MEMORY
		}
		defer C.kvl_value_release(handle)
		status := C.kvl_cache_put(cache, bytesOf(key), C.size_t(len(key)), handle, terms.stated())
		isIn = status == C.KVL_OK
		return status
	})
	return isIn, err
}

// Remove removes what is stored under a key, and says whether there was something.
func (t *Tasks[V]) Remove(key string) (wasIn bool, err error) {
	err = t.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t {
		status := C.kvl_cache_remove(cache, bytesOf(key), C.size_t(len(key)))
		wasIn = status == C.KVL_OK
		return status
	})
	return wasIn, err
}

// Clear removes everything.
func (t *Tasks[V]) Clear() error {
	return t.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t { return C.kvl_cache_clear(cache) })
}

func (t *Tasks[V]) withCache(use func(*C.kvl_cache_t) C.kvl_status_t) error {
	return t.used(func(tasks *C.kvl_tasks_t) error {
		var cache *C.kvl_cache_t
		if err := check(C.kvl_tasks_cache(tasks, &cache)); err != nil {
			return err
		}
		defer C.kvl_cache_release(cache)
		return check(use(cache))
	})
}

// Stats returns what was counted.
func (t *Tasks[V]) Stats() (stats Stats, err error) {
	err = t.used(func(tasks *C.kvl_tasks_t) error {
		var s C.kvl_stats_t
		err := check(C.kvl_tasks_stats(tasks, &s, C.sizeof_kvl_stats_t))
		stats = statsOf(&s)
		return err
	})
	return stats, err
}

// StatsJSON returns all that was counted, with histograms.
func (t *Tasks[V]) StatsJSON() (text json.RawMessage, err error) {
	err = t.used(func(tasks *C.kvl_tasks_t) error {
		var value *C.kvl_value_t
		if err := check(C.kvl_tasks_stats_json(tasks, &value)); err != nil {
			return err
		}
		defer C.kvl_value_release(value)
		var length C.size_t
		data := C.kvl_value_data(value, &length)
		text = json.RawMessage(stringOf(data, length))
		return nil
	})
	return text, err
}
