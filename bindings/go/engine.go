package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"
)

// engine is the part of a Tasks that its pump, the goroutine that reads the queue, refers to.
type engine[V any] struct {
	provide func(*Request[V])
	drops   drops[V]
	// The second tier, or nil. The context of its calls ends with the engine.
	sharing     *Sharing[V]
	redis       *redisTier
	tierContext context.Context
	tierCancel  context.CancelFunc

	// Locked for reading while a call uses the two handles below, and for writing while they are set to nil.
	mu    sync.RWMutex
	tasks *C.kvl_tasks_t
	queue *C.kvl_queue_t

	objects objects[V]
	// Bounds the events that wait for the pump.
	backlog backlog
	// Whether a fetch without settings can start with a lookup in the store.
	readsStoreFirst bool
	// Tells the pump to stop once the queue is empty.
	isEnding atomic.Bool
	// Closed when close is done.
	closed chan struct{}
	// The threads of the goroutines that are inside a function of the program for which close waits.
	inside sync.Map

	// The functions that cancel the contexts of requests, by the ID of the request.
	cancels sync.Map
	lastID  uintptr
	// Closed when the pump has stopped, with the error that stopped it before the engine was closed, or nil.
	pumpDone  chan struct{}
	pumpError error
	// A waiter for reuse, of a fetch that was answered at once.
	recycled atomic.Pointer[waiter[V]]
}

func (e *engine[V]) open(config *C.kvl_config_t) error {
	var queue *C.kvl_queue_t
	if err := check(C.kvl_queue_new(0, &queue)); err != nil {
		return err
	}
	var tasks *C.kvl_tasks_t
	e.tierContext, e.tierCancel = context.WithCancel(context.Background())
	isOpen := false
	// Deferred, since the Abilities of a second tier may panic.
	defer func() {
		if !isOpen {
			e.tierCancel()
			e.redis.stop()
			C.kvl_tasks_free(tasks)
			C.kvl_queue_free(queue)
		}
	}()
	C.kvl_config_set_queue(config, queue, C.KVL_QUEUE_F_ALL|C.KVL_QUEUE_F_L2)
	if e.sharing != nil {
		if err := e.sharing.apply(config); err != nil {
			return err
		}
		e.redis = e.sharing.redis
	}
	C.go_provider(config)
	var openError *C.kvl_error_t
	if status := C.kvl_tasks_new(config, &tasks, &openError); status < 0 {
		defer C.kvl_error_release(openError)
		return errorWithMessage(Status(status), C.kvl_error_message(openError))
	}
	if e.redis != nil {
		if err := e.redis.attach(tasks); err != nil {
			return err
		}
	}
	isOpen = true
	e.tasks, e.queue = tasks, queue
	e.readsStoreFirst = C.kvl_tasks_reads_store_first(tasks) != 0
	go e.pump(queue)
	return nil
}

// close closes the engine and waits until that is done, except for a caller that is inside a function for which the end waits.
func (e *engine[V]) close() {
	e.mu.Lock()
	tasks, queue := e.tasks, e.queue
	e.tasks, e.queue = nil, nil
	e.mu.Unlock()
	// No call uses the handles from here on.
	if tasks != nil {
		e.tierCancel()
		go e.end(tasks, queue)
	}
	if !e.isInside() {
		<-e.closed
	}
}

// end frees the engine, and then stops the pump and frees the queue that it reads.
func (e *engine[V]) end(tasks *C.kvl_tasks_t, queue *C.kvl_queue_t) {
	defer close(e.closed)
	e.redis.stop() // the connection uses the engine until then
	C.kvl_tasks_free(tasks)
	// The pump reads the remaining events before it stops.
	e.isEnding.Store(true)
	C.kvl_queue_wake(queue)
	<-e.pumpDone
	if e.pumpError == nil && e.objects.inUse() > 0 {
		go func() {
			// Requests of the provider and of the second tier, iterations and saves that have not ended hold values.
			_ = e.read(queue, func() bool { return e.objects.inUse() == 0 })
			C.kvl_queue_free(queue)
		}()
	} else {
		C.kvl_queue_free(queue)
	}
	e.cancels.Range(func(_, cancel any) bool {
		cancel.(context.CancelFunc)()
		return true
	})
	if w := e.recycled.Swap(nil); w != nil {
		w.id.Delete()
	}
	e.drops.wait()
}

// enter marks the goroutine as inside a function of the program for which close waits. It returns the function that ends that.
func (e *engine[V]) enter() (leave func()) {
	runtime.LockOSThread() // so that the thread stands for the goroutine
	thread := C.go_thread()
	e.inside.Store(thread, true)
	return func() {
		e.inside.Delete(thread)
		runtime.UnlockOSThread()
	}
}

// isInside reports whether the goroutine has entered.
func (e *engine[V]) isInside() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, isInside := e.inside.Load(C.go_thread())
	return isInside
}

// withTasks calls a function with the engine's handle, which is not freed during the call.
func (e *engine[V]) withTasks(use func(*C.kvl_tasks_t) error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.tasks == nil {
		return ErrClosed
	}
	return use(e.tasks)
}

func (e *engine[V]) withCache(use func(*C.kvl_cache_t) C.kvl_status_t) error {
	return e.withTasks(func(tasks *C.kvl_tasks_t) error {
		var cache *C.kvl_cache_t
		if err := check(C.kvl_tasks_cache(tasks, &cache)); err != nil {
			return err
		}
		defer C.kvl_cache_release(cache)
		return check(use(cache))
	})
}

// tryChange makes a call and returns whether it changed something.
func (e *engine[V]) tryChange(change func(*C.kvl_cache_t) C.kvl_status_t) (isChanged bool, err error) {
	err = e.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t {
		status := change(cache)
		isChanged = status == C.KVL_OK
		return status
	})
	return isChanged, err
}

// countChanges makes a call and returns how many entries it changed.
func (e *engine[V]) countChanges(change func(*C.kvl_cache_t, *C.size_t) C.kvl_status_t) (changed int, err error) {
	err = e.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t {
		var count C.size_t
		status := change(cache, &count)
		changed = int(count)
		return status
	})
	return changed, err
}

// get looks a key up. The status is that of the lookup.
func (e *engine[V]) get(key string) (value V, status Status, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.tasks == nil {
		return value, ErrClosed, ErrClosed
	}
	for {
		found := C.go_get(C.uintptr_t(uintptr(unsafe.Pointer(e.tasks))), bytesOf(key), C.size_t(len(key)))
		value, isFound := e.valueFound(found)
		if status := Status(found.status); status != Value || isFound {
			return value, status, check(found.status)
		}
		// Another goroutine replaced or removed the value after the call had released it: look it up again.
	}
}

// valueFound returns the Go value of a lookup, and whether there is one.
func (e *engine[V]) valueFound(found C.go_lookup_t) (value V, isFound bool) {
	if found.object == 0 {
		return value, false
	}
	if object := e.objects.find(uintptr(found.object)); object != nil {
		value, isFound = object.value, true
	}
	if found.value != nil {
		C.kvl_value_release(found.value)
	}
	return value, isFound
}

func (e *engine[V]) put(key string, value *V, terms Terms) (isStored bool, err error) {
	e.awaitPump()
	isTaken := false
	err = e.withCache(func(cache *C.kvl_cache_t) C.kvl_status_t {
		handle, err := e.newHandle(value, terms)
		if err != nil {
			return C.KVL_ERR_NO_MEMORY
		}
		isTaken = true
		defer C.kvl_value_release(handle)
		status := terms.with(func(native *C.kvl_terms_t) C.kvl_status_t {
			return C.kvl_cache_put(cache, bytesOf(key), C.size_t(len(key)), handle, native)
		})
		isStored = status == C.KVL_OK
		return status
	})
	if !isTaken && value != nil {
		e.drop(*value)
	}
	return isStored, err
}

// hold returns a handle of a value that a function of the program returned.
func (e *engine[V]) hold(value V) (handle *C.kvl_value_t, err error) {
	err = e.withTasks(func(*C.kvl_tasks_t) (err error) {
		handle, err = e.newHandle(&value, Terms{})
		return err
	})
	if err != nil {
		e.drop(value)
	}
	return handle, err
}

// waiter is a fetch in progress, to which the pump delivers events.
type waiter[V any] struct {
	id      cgo.Handle
	keys    []string
	results []Result[V]
	settled chan struct{}
}

// waiter returns a waiter for these keys, to be recycled or deleted.
func (e *engine[V]) waiter(keys []string) *waiter[V] {
	w := e.recycled.Swap(nil)
	if w == nil {
		w = &waiter[V]{settled: make(chan struct{})}
		w.id = cgo.NewHandle(w)
	}
	w.keys = keys
	return w
}

// recycle keeps a waiter for the next fetch. The library has not accepted its fetch, so no event can carry its ID.
func (e *engine[V]) recycle(w *waiter[V]) {
	if !e.recycled.CompareAndSwap(nil, w) {
		w.id.Delete()
	}
	e.mu.RLock()
	isClosed := e.tasks == nil
	e.mu.RUnlock()
	if isClosed {
		if w := e.recycled.Swap(nil); w != nil {
			w.id.Delete()
		}
	}
}

// fetch returns the value of one key, and whether there is one.
func (e *engine[V]) fetch(ctx context.Context, key string, settings []Settings) (value V, isFound bool, err error) {
	if len(settings) == 0 && e.readsStoreFirst && ctx != nil {
		if err := ctx.Err(); err != nil {
			return value, false, err
		}
		if value, status, err := e.get(key); status != Miss {
			return value, status == Value, err
		}
	}
	for {
		var found C.go_lookup_t
		results, err := e.wait(ctx, []string{key}, settings, func(c *call[V]) C.kvl_status_t {
			found = C.go_fetch(c.tasks, bytesOf(key), C.size_t(len(key)), c.options, c.fetch, C.uintptr_t(c.waiter.id))
			value, isFound = e.valueFound(found)
			return found.status
		})
		if results != nil {
			return results[0].Value, results[0].Found, results[0].Err
		}
		if err != nil || found.object == 0 || isFound {
			return value, isFound, err
		}
		// The value was dropped between the lookup and this use, as may happen in get: fetch it again.
	}
}

func (e *engine[V]) results(ctx context.Context, keys []string, settings []Settings) (results []Result[V], err error) {
	keys = append([]string(nil), keys...) // the program may change its slice meanwhile, and results go by position
	bytes, lengths := packKeys(keys)
	later, err := e.wait(ctx, keys, settings, func(c *call[V]) C.kvl_status_t {
		var ready *C.kvl_results_t
		status := C.go_fetch_all(c.tasks, (*C.uint8_t)(&bytes[0]), C.size_t(len(bytes)-1), &lengths[0], C.size_t(len(keys)), c.options, c.fetch,
			C.uintptr_t(c.waiter.id), &ready)
		if ready != nil {
			results = e.resultsOf(ready)
			for i := range results {
				results[i].Key = keys[i]
			}
			C.kvl_results_release(ready)
		}
		return status
	})
	if later != nil {
		results = later
	}
	return results, err
}

func (e *engine[V]) refresh(keys []string, settings []Settings) error {
	options, err := mergeSettings(settings).options()
	if err != nil {
		return err
	}
	defer C.kvl_options_free(options)
	bytes, lengths := packKeys(keys)
	return e.withTasks(func(tasks *C.kvl_tasks_t) error {
		return check(C.go_refresh(tasks, (*C.uint8_t)(&bytes[0]), C.size_t(len(bytes)-1), &lengths[0], C.size_t(len(keys)), options))
	})
}

func (e *engine[V]) invalidate(keys []string, flags C.uint32_t) error {
	bytes, lengths := packKeys(keys)
	return e.withTasks(func(tasks *C.kvl_tasks_t) error {
		return check(C.go_invalidate(tasks, (*C.uint8_t)(&bytes[0]), C.size_t(len(bytes)-1), &lengths[0], C.size_t(len(keys)), flags))
	})
}

func (e *engine[V]) invalidateAll() error { return e.invalidate(nil, C.KVL_INVALIDATE_F_ALL) }

// mergeSettings combines several settings; later ones take precedence.
func mergeSettings(settings []Settings) Settings {
	if len(settings) == 1 {
		return settings[0]
	}
	all := Settings{}
	for _, some := range settings {
		for name, value := range some {
			all[name] = value
		}
	}
	return all
}

// call has the handles that a fetch is started with.
type call[V any] struct {
	tasks   *C.kvl_tasks_t
	options *C.kvl_options_t
	fetch   *C.kvl_fetch_t
	waiter  *waiter[V]
}

// wait starts a fetch with `begin` and waits for its results. It returns no results if the fetch ended at once: then `begin` has received its
// outcome.
func (e *engine[V]) wait(ctx context.Context, keys []string, settings []Settings, begin func(*call[V]) C.kvl_status_t) ([]Result[V], error) {
	if ctx == nil {
		return nil, errNoContext
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var c call[V]
	if len(settings) > 0 {
		options, err := mergeSettings(settings).options()
		if err != nil {
			return nil, err
		}
		defer C.kvl_options_free(options)
		c.options = options
	}
	if ctx.Done() != nil {
		if err := check(C.kvl_fetch_new(&c.fetch)); err != nil {
			return nil, err
		}
		defer C.kvl_fetch_release(c.fetch)
	}
	w := e.waiter(keys)
	c.waiter = w
	status := C.kvl_status_t(C.KVL_ERR_CLOSED)
	err := e.withTasks(func(tasks *C.kvl_tasks_t) error {
		c.tasks = tasks
		status = begin(&c)
		return check(status)
	})
	if status != C.KVL_PENDING {
		e.recycle(w)
		return nil, err
	}
	// The pump uses the ID until the last event, which follows a cancel too.
	defer w.id.Delete()
	isEnded := false
	select {
	case <-w.settled:
	case <-e.pumpDone:
	case <-ctx.Done():
		isEnded = true
		C.kvl_fetch_cancel(c.fetch)
		select {
		case <-w.settled:
		case <-e.pumpDone:
		}
	}
	select {
	case <-w.settled:
	default:
		// Nothing reads the queue any more.
		if e.pumpError != nil {
			return nil, e.pumpError
		}
		return nil, ErrClosed
	}
	for i := 0; isEnded && i < len(w.results); i++ {
		if w.results[i].Status == ErrCancelled {
			return nil, ctx.Err()
		}
	}
	return w.results, nil
}
