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
	"runtime"
	"time"
)

// Provider answers keys: those that are not in the map it returns are absent. An error fails them all; KeyErrors fails some.
type Provider[V any] func(ctx context.Context, keys []string) (map[string]V, error)

// Tasks is a cache with a provider behind it. Its methods may be called from every goroutine. One that is dropped without a Close ends
// with the garbage, unless its own provider refers to it.
type Tasks[V any] struct{ engine *engine[V] }

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
	engine := &engine[V]{provide: provide, pumped: make(chan struct{})}
	for _, option := range options {
		option(engine)
	}
	if err := engine.open(config); err != nil {
		return nil, err
	}
	// What reads the queue holds the engine, and only a program holds the Tasks.
	t := &Tasks[V]{engine}
	runtime.SetFinalizer(t, func(t *Tasks[V]) { go t.engine.close() })
	return t, nil
}

// Option is something of a cache that is no setting.
type Option[V any] func(*engine[V])

// Dropped asks for a call with each value once cache and fetches hold it no more. The function must neither wait for this cache nor close
// it. What it panics with is logged, and harms nothing else.
func Dropped[V any](function func(V)) Option[V] {
	return func(e *engine[V]) { e.dropped = function }
}

// Close ends the cache: whoever waits gets ErrClosed, contexts of requests are cancelled. It does not wait for providers.
func (t *Tasks[V]) Close() {
	defer runtime.KeepAlive(t)
	t.engine.close()
}

// Get looks into the cache, without asking the provider.
func (t *Tasks[V]) Get(key string) (value V, found bool, err error) {
	defer runtime.KeepAlive(t)
	return t.engine.get(key)
}

// Fetch returns the value of a key, and whether there is one. It waits for the provider, until the context ends.
func (t *Tasks[V]) Fetch(ctx context.Context, key string, settings ...Settings) (V, bool, error) {
	defer runtime.KeepAlive(t)
	result, err := t.engine.fetch(ctx, key, settings)
	if err == nil {
		err = result.Err
	}
	return result.Value, result.Found, err
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
	defer runtime.KeepAlive(t)
	return t.engine.results(ctx, keys, settings)
}

// Refresh loads keys anew in the background; the old values serve until then, and stay if it fails.
func (t *Tasks[V]) Refresh(keys []string, settings ...Settings) error {
	defer runtime.KeepAlive(t)
	return t.engine.refresh(keys, settings)
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
	defer runtime.KeepAlive(t)
	return t.engine.put(key, &value, terms)
}

// PutNull stores that there is no such record.
func (t *Tasks[V]) PutNull(key string) (bool, error) {
	defer runtime.KeepAlive(t)
	return t.engine.put(key, nil, Terms{})
}

// Remove removes what is stored under a key, and says whether there was something.
func (t *Tasks[V]) Remove(key string) (wasIn bool, err error) {
	defer runtime.KeepAlive(t)
	err = t.engine.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t {
		status := C.kvl_cache_remove(cache, bytesOf(key), C.size_t(len(key)))
		wasIn = status == C.KVL_OK
		return status
	})
	return wasIn, err
}

// Clear removes everything.
func (t *Tasks[V]) Clear() error {
	defer runtime.KeepAlive(t)
	return t.engine.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t { return C.kvl_cache_clear(cache) })
}

// Stats returns what was counted.
func (t *Tasks[V]) Stats() (stats Stats, err error) {
	defer runtime.KeepAlive(t)
	err = t.engine.used(func(tasks *C.kvl_tasks_t) error {
		var s C.kvl_stats_t
		err := check(C.kvl_tasks_stats(tasks, &s, C.sizeof_kvl_stats_t))
		stats = statsOf(&s)
		return err
	})
	return stats, err
}

// StatsJSON returns all that was counted, with histograms.
func (t *Tasks[V]) StatsJSON() (text json.RawMessage, err error) {
	defer runtime.KeepAlive(t)
	err = t.engine.used(func(tasks *C.kvl_tasks_t) error {
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
