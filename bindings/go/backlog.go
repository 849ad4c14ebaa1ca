package kvlight

// #include "shim.h"
import "C"

import (
	"sync"
	"sync/atomic"
)

// backlog holds writers back while more events than a limit wait in the queue for the pump. Otherwise several writers could drop objects faster than the
// pump reads of them, without a limit.
//
// A writer looks at the queue now and then. If it is too long, the writer waits until the pump has read half of the limit, and then continues: its next
// write looks again. The pump runs no code of the program, so that any goroutine may wait for it.
type backlog struct {
	writes atomic.Uint32
	// The limit, while writers may wait, and otherwise 0. While it is set, each write looks at the queue, and the pump too.
	exceeded atomic.Int64

	mu       sync.Mutex
	caughtUp sync.Cond
	hasEnded bool
}

// writesPerLook is the number of writes of which one looks at the queue.
const writesPerLook = 16

// awaitPump waits while too many events wait. Called before each write, without the engine's lock.
func (e *engine[V]) awaitPump() {
	if e.backlog.exceeded.Load() > 0 || e.backlog.writes.Add(1)%writesPerLook == 0 {
		e.backlog.wait(e.exceededLimit)
	}
}

// exceededLimit returns the limit if more events wait, and otherwise 0.
func (e *engine[V]) exceededLimit() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.tasks == nil {
		return 0
	}
	return int64(C.go_exceeded_limit(e.queue, e.tasks))
}

func (b *backlog) wait(exceededLimit func() int64) {
	limit := exceededLimit()
	if limit == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.exceeded.Store(limit)
	// The pump may have read the last event before it could see that: so this looks again.
	if !b.hasEnded && exceededLimit() > 0 {
		b.caughtUp.Wait()
	}
}

// noteRead lets the writers go if the pump, which has read from the queue, has caught up.
func (b *backlog) noteRead(queue *C.kvl_queue_t) {
	if limit := b.exceeded.Load(); limit > 0 && int64(C.kvl_queue_len(queue)) <= limit/2 {
		b.release(false)
	}
}

// release lets all writers go; `hasEnded`: for ever, since nothing reads the queue any more.
func (b *backlog) release(hasEnded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hasEnded = hasEnded
	b.exceeded.Store(0)
	b.caughtUp.Broadcast()
}
