// Package kvlight is a loading cache: it loads the keys that are not in memory from a provider, in batches, and each key once, however many
// callers ask for it.
//
//	users, err := kvlight.New(func(ctx context.Context, ids []string) (map[string]User, error) {
//		return db.Users(ctx, ids) // called with the keys that are not in the cache; a key left out is cached as absent
//	}, kvlight.Settings{"cache.capacity": 10_000})
//	defer users.Close()
//
//	user, found, err := users.Fetch(ctx, "7")
//	all, err := users.FetchAll(ctx, []string{"7", "8", "7"})
//
// A value can be any Go value, and stays in Go; the library holds a handle of the value. An error of the provider reaches every waiting caller
// unchanged. One goroutine reads the library's queue; each call of the provider runs on a goroutine of its own. An open cache takes two threads of the
// system: the goroutine that reads the queue waits in one, and the other is the library's.
package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// Provider loads keys. A key that is not in the returned map is absent. An error fails all keys; a KeyErrors fails only those in it. The context is
// cancelled once no caller waits for the keys any longer, or the attempt has timed out: its deadline is that of "attempt_timeout_ms", and its Err is
// context.Canceled in both cases. It has neither the deadline nor the values of a caller's context, since a request may be for several callers.
type Provider[V any] func(ctx context.Context, keys []string) (map[string]V, error)

// Tasks is a cache with a provider. Its methods may be called from any goroutine. A copy of a Tasks is the same cache. A Tasks that becomes unreachable
// without Close is closed by the garbage collector, unless its provider, another of its functions, its second tier or one of its values refers to it.
type Tasks[V any] struct{ *reference[V] }

// reference is what a Tasks and its copies have in common. When the reference becomes unreachable, the engine is closed.
type reference[V any] struct{ engine *engine[V] }

// Result is the result of one key.
type Result[V any] struct {
	Key string
	// Value is the value, if Found is true.
	Value V
	// Found reports whether there is a value. With neither a value nor an Err the key is known to be absent, or not in the cache.
	Found  bool
	Err    error
	Status Status
	Source Source
	// Attempts is how many attempts the load made; 0 if there was no load.
	Attempts int
	// Age is the time since the value was loaded, put, or found in the second tier. TTLLeft is the time until it expires:
	// negative for never, 0 if it is not stored.
	Age, TTLLeft time.Duration
	// IsStale reports that the value has expired and is served as a fallback. LoadErr is then the error of the load, or nil if it
	// took too long ("stale.timeout_ms").
	IsStale bool
	LoadErr error
}

var (
	errNoProvider = fmt.Errorf("kvlight: the provider is nil: %w", ErrInvalidArg)
	errNoOption   = fmt.Errorf("kvlight: an option is nil: %w", ErrInvalidArg)
	errNoContext  = fmt.Errorf("kvlight: the context is nil: %w", ErrInvalidArg)
)

// New creates a cache with a provider.
func New[V any](provider Provider[V], settings Settings, options ...Option[V]) (*Tasks[V], error) {
	if provider == nil {
		return nil, errNoProvider
	}
	return NewWithRequests(func(request *Request[V]) { request.answer(provider) }, settings, options...)
}

// NewWithRequests creates a cache whose provider answers key by key, at any time.
func NewWithRequests[V any](provide func(*Request[V]), settings Settings, options ...Option[V]) (*Tasks[V], error) {
	if provide == nil {
		return nil, errNoProvider
	}
	config, err := settings.config()
	if err != nil {
		return nil, err
	}
	defer C.kvl_config_free(config)
	engine := &engine[V]{provide: provide, pumpDone: make(chan struct{}), closed: make(chan struct{})}
	engine.drops.hasEnded.L = &engine.drops.mu
	engine.backlog.caughtUp.L = &engine.backlog.mu
	for _, option := range options {
		if option == nil {
			return nil, errNoOption
		}
		option(engine)
	}
	if err := engine.open(config); err != nil {
		return nil, err
	}
	// The goroutine that reads the queue refers to the engine, and only the program's Tasks refer to the reference, so that it can be collected.
	shared := &reference[V]{engine}
	runtime.SetFinalizer(shared, func(shared *reference[V]) { go shared.engine.close() })
	return &Tasks[V]{shared}, nil
}

// Option is an option of a cache that is not one of the library's settings.
type Option[V any] func(*engine[V])

// Dropped sets a function that is called with each value once neither the cache nor a fetch holds it any longer, also with values that the cache did
// not take: those that a provider returned after the close, with an error or under a key that it was not asked for, and those of a Put or a Resolve that
// failed. It is called for one value at a time, on a goroutine of its own, so that it delays nothing else; values wait for it in memory. It may
// close this cache. A panic in it is logged and has no other effect.
func Dropped[V any](function func(V)) Option[V] {
	return func(e *engine[V]) { e.drops.function = function }
}

// Close closes the cache: waiting callers get ErrClosed, and the contexts of requests are cancelled. It does not wait for provider calls. It returns once
// the cache is closed and the function set by Dropped has returned for all values that nothing holds any longer, also if another goroutine closes the
// cache. Inside that function it returns at once.
func (t *Tasks[V]) Close() {
	defer runtime.KeepAlive(t.reference)
	t.engine.close()
}

// Get returns the value in the cache, and whether there is one. It never calls the provider.
func (t *Tasks[V]) Get(key string) (value V, found bool, err error) {
	defer runtime.KeepAlive(t.reference)
	value, status, err := t.engine.get(key)
	return value, status == Value, err
}

// Fetch returns the value of a key, and whether there is one. It waits for the provider, until the context ends.
func (t *Tasks[V]) Fetch(ctx context.Context, key string, settings ...Settings) (V, bool, error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.fetch(ctx, key, settings)
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

// Results returns the result of each key, in the order of the keys. The returned error concerns the whole call, such as the end
// of the context or a wrong setting.
func (t *Tasks[V]) Results(ctx context.Context, keys []string, settings ...Settings) ([]Result[V], error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.results(ctx, keys, settings)
}

// Refresh reloads keys in the background. The current values are served until then, and stay if the reload fails.
func (t *Tasks[V]) Refresh(keys []string, settings ...Settings) error {
	defer runtime.KeepAlive(t.reference)
	return t.engine.refresh(keys, settings)
}

// Invalidate tells the engine that another process has changed these keys: their values leave this process, and running loads of
// them do not store their answers.
func (t *Tasks[V]) Invalidate(keys []string) error {
	defer runtime.KeepAlive(t.reference)
	return t.engine.invalidate(keys, 0)
}

// InvalidateAll tells the engine that another process may have changed any key: everything leaves this process.
func (t *Tasks[V]) InvalidateAll() error {
	defer runtime.KeepAlive(t.reference)
	return t.engine.invalidateAll()
}

// Terms are the terms on which a value is stored. The zero value stands for those of the settings.
type Terms struct {
	// TTL is the time until the value expires; negative for never, 0 for the TTL of the settings.
	TTL time.Duration
	// Cost is the cost of the value, in bytes. It counts for a value that is put or resolved, not for PutNull and NotModified.
	Cost uint64
	// Priority decides about eviction: entries of lower priority are evicted first. 0 stands for the priority of the settings.
	Priority float64
	// StaleTTL is how long the value is kept as a fallback after it expires; negative for not at all, 0 for the time of the settings.
	StaleTTL time.Duration
	// Version is the version of the record, such as an ETag, which Request.Stale returns.
	Version string
	// Tags are names by which RemoveTag and ExpireTag find the entry: at most 16, each of 1 to 255 bytes.
	Tags []string
	// KeepTTL makes a put keep the time of expiry of an existing entry.
	KeepTTL bool
	// OnlyIf is the condition of a put; if it does not hold, nothing changes.
	OnlyIf Condition
}

// Condition is the condition of a put.
type Condition int

// Conditions.
const (
	Always Condition = iota
	// Absent stores only if the key has no entry. A key that is known to be absent has one.
	Absent
	// Present stores only if the key has an entry.
	Present
)

// flags returns the flags of a put, and whether there is such a condition.
func (terms Terms) flags() (flags C.uint32_t, isValid bool) {
	flags, isValid = map[Condition]C.uint32_t{Always: 0, Absent: C.KVL_PUT_F_IF_ABSENT, Present: C.KVL_PUT_F_IF_PRESENT}[terms.OnlyIf]
	if terms.KeepTTL {
		flags |= C.KVL_PUT_F_KEEP_TTL
	}
	return flags, isValid
}

// milliseconds converts a duration: 0 to `unset`, a negative one to `never`, and one below a millisecond to 1.
func milliseconds(d time.Duration, unset, never C.int64_t) C.int64_t {
	switch {
	case d == 0:
		return unset
	case d < 0:
		return never
	case d < time.Millisecond:
		return 1
	default:
		return C.int64_t(d.Milliseconds())
	}
}

// with calls a function with the terms in the library's form, without the cost: newHandle gives it to the handle of the value.
func (terms Terms) with(use func(*C.kvl_terms_t) C.kvl_status_t) C.kvl_status_t {
	flags, isValid := terms.flags()
	if !isValid {
		return C.KVL_ERR_BAD_VALUE
	}
	priority := C.double(C.KVL_PRIORITY_DEFAULT)
	if terms.Priority != 0 {
		priority = C.double(terms.Priority)
	}
	native := C.kvl_terms_t{
		struct_size:  C.sizeof_kvl_terms_t,
		ttl_ms:       milliseconds(terms.TTL, C.KVL_TTL_DEFAULT, C.KVL_TTL_NEVER),
		priority:     priority,
		cost:         C.KVL_COST_DEFAULT,
		flags:        flags,
		stale_ttl_ms: milliseconds(terms.StaleTTL, 0, C.KVL_STALE_NEVER),
	}
	if terms.Version != "" || len(terms.Tags) > 0 {
		labels, ok := terms.labels(&native)
		if !ok {
			return C.KVL_ERR_NO_MEMORY
		}
		defer C.free(labels)
	}
	return use(&native)
}

// labels copies the version and the tags into memory of C, which the terms then point to, and returns that memory.
func (terms Terms) labels(native *C.kvl_terms_t) (unsafe.Pointer, bool) {
	size := len(terms.Version)
	for _, tag := range terms.Tags {
		size += len(tag)
	}
	slices := C.size_t(len(terms.Tags)) * C.sizeof_kvl_slice_t
	memory := C.malloc(slices + C.size_t(size) + 1)
	if memory == nil {
		return nil, false
	}
	text := unsafe.Add(memory, slices)
	write := func(label string) (*C.uint8_t, C.size_t) {
		at := text
		copy(unsafe.Slice((*byte)(at), len(label)), label)
		text = unsafe.Add(at, len(label))
		return (*C.uint8_t)(at), C.size_t(len(label))
	}
	native.version, native.version_len = write(terms.Version)
	if len(terms.Tags) > 0 {
		native.tags, native.tags_len = (*C.kvl_slice_t)(memory), C.size_t(len(terms.Tags))
		tags := unsafe.Slice((*C.kvl_slice_t)(memory), len(terms.Tags))
		for i, tag := range terms.Tags {
			tags[i].data, tags[i].len = write(tag)
		}
	}
	return memory, true
}

// Put stores a value, and reports whether it was stored. Goroutines that put faster than the values that they replace are released wait for that.
func (t *Tasks[V]) Put(key string, value V, terms Terms) (bool, error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.put(key, &value, terms)
}

// PutNull stores the key as known to be absent.
func (t *Tasks[V]) PutNull(key string, terms ...Terms) (bool, error) {
	defer runtime.KeepAlive(t.reference)
	var stated Terms
	if len(terms) > 0 {
		stated = terms[0]
	}
	return t.engine.put(key, nil, stated)
}

// Touch gives an entry a new TTL, counted from now; negative for never, 0 for the TTL of the settings. It reports whether there was an entry.
func (t *Tasks[V]) Touch(key string, ttl time.Duration) (existed bool, err error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.tryChange(func(cache *C.kvl_cache_t) C.kvl_status_t {
		return C.kvl_cache_touch(cache, bytesOf(key), C.size_t(len(key)), milliseconds(ttl, C.KVL_TTL_DEFAULT, C.KVL_TTL_NEVER))
	})
}

// Expire expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if "stale.ttl_ms" is set. It
// reports whether there was an entry. From a second tier the entry is removed.
func (t *Tasks[V]) Expire(key string) (existed bool, err error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.tryChange(func(cache *C.kvl_cache_t) C.kvl_status_t {
		return C.kvl_cache_expire(cache, bytesOf(key), C.size_t(len(key)))
	})
}

// ExpireTag expires all entries with a tag, as Expire does for a key, and returns their number.
func (t *Tasks[V]) ExpireTag(tag string) (expired int, err error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.countChanges(func(cache *C.kvl_cache_t, count *C.size_t) C.kvl_status_t {
		return C.kvl_cache_expire_tag(cache, bytesOf(tag), C.size_t(len(tag)), count)
	})
}

// ExpireAll expires all entries, as Expire does for a key. Running loads do not store their answers. A second tier is cleared, for all processes.
func (t *Tasks[V]) ExpireAll() error {
	defer runtime.KeepAlive(t.reference)
	return t.engine.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t { return C.kvl_cache_expire_all(cache) })
}

// RemoveTag removes all entries with a tag, and returns their number. A running load does not store its answer if that has the tag.
func (t *Tasks[V]) RemoveTag(tag string) (removed int, err error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.countChanges(func(cache *C.kvl_cache_t, count *C.size_t) C.kvl_status_t {
		return C.kvl_cache_remove_tag(cache, bytesOf(tag), C.size_t(len(tag)), count)
	})
}

// Remove removes an entry, and reports whether there was one.
func (t *Tasks[V]) Remove(key string) (existed bool, err error) {
	defer runtime.KeepAlive(t.reference)
	return t.engine.tryChange(func(cache *C.kvl_cache_t) C.kvl_status_t {
		return C.kvl_cache_remove(cache, bytesOf(key), C.size_t(len(key)))
	})
}

// Clear removes all entries.
func (t *Tasks[V]) Clear() error {
	defer runtime.KeepAlive(t.reference)
	return t.engine.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t { return C.kvl_cache_clear(cache) })
}

// BreakerState is the state of the circuit breaker.
type BreakerState uint32

// States of the circuit breaker.
const (
	BreakerClosed   BreakerState = C.KVL_BREAKER_CLOSED
	BreakerOpen     BreakerState = C.KVL_BREAKER_OPEN
	BreakerHalfOpen BreakerState = C.KVL_BREAKER_HALF_OPEN
)

// Breaker returns the state of the circuit breaker ("breaker.failure_ratio", "breaker.consecutive").
func (t *Tasks[V]) Breaker() (state BreakerState, err error) {
	defer runtime.KeepAlive(t.reference)
	err = t.engine.withTasks(func(tasks *C.kvl_tasks_t) error {
		state = BreakerState(C.kvl_tasks_breaker_state(tasks))
		return nil
	})
	return state, err
}

// BreakerOrder is the argument of ForceBreaker.
type BreakerOrder uint32

// Orders that ForceBreaker takes.
const (
	// ForceNone returns the circuit breaker to automatic operation.
	ForceNone   BreakerOrder = C.KVL_BREAKER_FORCE_NONE
	ForceClosed BreakerOrder = C.KVL_BREAKER_FORCE_CLOSED
	ForceOpen   BreakerOrder = C.KVL_BREAKER_FORCE_OPEN
)

// ForceBreaker forces the circuit breaker open or closed, whatever the provider does, or returns it to automatic operation.
func (t *Tasks[V]) ForceBreaker(order BreakerOrder) error {
	defer runtime.KeepAlive(t.reference)
	return t.engine.withTasks(func(tasks *C.kvl_tasks_t) error {
		return check(C.kvl_tasks_breaker_force(tasks, C.uint32_t(order)))
	})
}

// Stats returns the statistics.
func (t *Tasks[V]) Stats() (stats Stats, err error) {
	defer runtime.KeepAlive(t.reference)
	err = t.engine.withTasks(func(tasks *C.kvl_tasks_t) error {
		var s C.kvl_stats_t
		err := check(C.kvl_tasks_stats(tasks, &s, C.sizeof_kvl_stats_t))
		stats = statsOf(&s)
		return err
	})
	return stats, err
}

// StatsJSON returns the statistics as JSON, with histograms: docs/STATISTICS.md.
func (t *Tasks[V]) StatsJSON() (text json.RawMessage, err error) {
	defer runtime.KeepAlive(t.reference)
	err = t.engine.withTasks(func(tasks *C.kvl_tasks_t) error {
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
