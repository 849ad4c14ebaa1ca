package kvlight

// #include "shim.h"
import "C"

import (
	"sync"
	"sync/atomic"
)

// backlog holds writers back while objects that the library has dropped wait for the pump. Otherwise several writers could drop objects faster than the
// pump reads of them, without a limit.
//
// The number that waits is not known, but the number in use has grown by it, and by the number of new entries, since the pump found the queue
// empty. If it has grown by much, the pump looks whether the queue is empty: if so, there are new entries.
type backlog struct {
	// The number in use when the pump last found the queue empty.
	base atomic.Int64
	// The number of times that the pump has found the queue empty.
	turns atomic.Int64
	// The number of writers that wait. Changed with the lock held.
	waiting atomic.Int64

	mu       sync.Mutex
	changed  sync.Cond
	hasEnded bool
}

// maxBacklog is the number by which the objects in use may have grown before writers wait.
const maxBacklog = 1024

func (b *backlog) growth(inUse int) int { return inUse - int(b.base.Load()) }

// awaitPump waits while the pump is far behind the writers. The pump runs no code of the program, so that any goroutine may wait. The caller does not hold the
// engine's lock.
func (e *engine[V]) awaitPump() {
	growth := e.backlog.growth(e.objects.inUse())
	if growth < maxBacklog && growth != maxBacklog/2 {
		return
	}
	turns := e.backlog.turns.Load()
	e.mu.RLock()
	if e.queue != nil {
		C.kvl_queue_wake(e.queue)
	}
	e.mu.RUnlock()
	if growth >= maxBacklog {
		e.backlog.wait(turns, e.objects.inUse)
	}
}

// wait waits until the pump has caught up, at least once since a number of turns. It waits once only: then the pump may have to be woken again.
func (b *backlog) wait(since int64, inUse func() int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	if !b.hasEnded && b.turns.Load() == since && b.growth(inUse()) >= maxBacklog {
		b.changed.Wait()
	}
}

// mustLook reports whether the pump is to look whether the queue is empty, before it waits.
func (b *backlog) mustLook(inUse int) bool {
	growth := b.growth(inUse)
	return growth >= maxBacklog/2 || growth <= -maxBacklog/2
}

// noteEmpty notes that the queue was empty after this number of objects had been in use.
func (b *backlog) noteEmpty(inUse int) {
	b.base.Store(int64(inUse))
	b.turns.Add(1)
	b.release()
}

// noteRemovals lets the writers go if few of the objects in use can have been dropped.
func (b *backlog) noteRemovals(inUse int) {
	if b.growth(inUse) < maxBacklog/2 {
		b.release()
	}
}

func (b *backlog) release() {
	if b.waiting.Load() > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.changed.Broadcast()
	}
}

// end lets all writers go.
func (b *backlog) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hasEnded = true
	b.changed.Broadcast()
}
