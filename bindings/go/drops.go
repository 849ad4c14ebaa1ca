package kvlight

import (
	"log"
	"sync"
)

// drops calls the function set by Dropped, for one value at a time and in order. It does so on a goroutine of its own, which exists while there are
// values: so a slow function delays nothing else, and values can be dropped after the close too.
type drops[V any] struct {
	function func(V)

	mu        sync.Mutex
	waiting   []V
	isRunning bool
	// Signalled when the goroutine ends.
	hasEnded sync.Cond
}

// drop passes a value that the library does not hold, or holds no longer, to the function set by Dropped.
func (e *engine[V]) drop(value V) {
	d := &e.drops
	if d.function == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = append(d.waiting, value)
	if !d.isRunning {
		d.isRunning = true
		go e.runDrops()
	}
}

// runDrops calls the function with the values that wait. If the function ends the goroutine, another one continues.
func (e *engine[V]) runDrops() {
	isCutShort := true
	defer func() {
		if isCutShort {
			go e.runDrops()
		}
	}()
	defer e.enter()()
	for value, isFound := e.drops.next(); isFound; value, isFound = e.drops.next() {
		if err := caught("the function set by Dropped", func() error {
			e.drops.function(value)
			return nil
		}); err != nil {
			log.Printf("%v\n%s", err, err.(*PanicError).Stack)
		}
	}
	isCutShort = false
}

// next takes the next value. If there is none, the goroutine that calls it must end: the next drop starts another one.
func (d *drops[V]) next() (value V, isFound bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		d.waiting, d.isRunning = nil, false
		d.hasEnded.Broadcast()
		return value, false
	}
	var none V
	value, d.waiting[0] = d.waiting[0], none
	d.waiting = d.waiting[1:]
	return value, true
}

// wait returns once the function has returned for all values.
func (d *drops[V]) wait() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.isRunning {
		d.hasEnded.Wait()
	}
}
