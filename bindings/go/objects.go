package kvlight

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// objects holds the program's values and errors, by the numbers that the library knows them by. Any goroutine may look one up while others
// add and remove: a lookup takes no lock. A lookup by the number of an object that was removed finds nothing.
//
// A number is a place in the list, from 1, and in the bits above how often that place was used before. Where numbers have 32 bits, the same
// number does come again, and so whoever looks an object up keeps the library's handle of it meanwhile (go_get in shim.h).
type objects[V any] struct {
	// Chunk i has room for firstChunk << i objects, and is never moved or freed, so that a lookup can read it without the lock.
	chunks [placeBits]atomic.Pointer[[]atomic.Pointer[object[V]]]

	mu sync.Mutex
	// The numbers to use next, of the places that are empty.
	free []uintptr
	// The number of places in use or free.
	places uintptr
}

// object is a value, or an error of the provider.
type object[V any] struct {
	number uintptr
	value  V
	err    error
}

const (
	placeBits  = 24 + bits.UintSize/64*8
	placeMask  = 1<<placeBits - 1
	firstChunk = 256
)

// slot returns the slot of a place, which begins at 0, or nil if there is no such place.
func (o *objects[V]) slot(place uintptr) *atomic.Pointer[object[V]] {
	chunk := bits.Len(uint(place/firstChunk+1)) - 1
	if slots := o.chunks[chunk].Load(); slots != nil {
		return &(*slots)[place-firstChunk*(1<<chunk-1)]
	}
	return nil
}

// add keeps an object, and returns its number, which is not 0. It returns 0 if all places are taken.
func (o *objects[V]) add(kept *object[V]) uintptr {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last := len(o.free) - 1; last >= 0 {
		kept.number, o.free = o.free[last], o.free[:last]
	} else if o.places < placeMask {
		chunk := bits.Len(uint(o.places/firstChunk+1)) - 1
		if o.chunks[chunk].Load() == nil {
			slots := make([]atomic.Pointer[object[V]], firstChunk<<chunk)
			o.chunks[chunk].Store(&slots)
		}
		o.places++
		kept.number = o.places
	} else {
		return 0
	}
	o.slot(kept.number&placeMask - 1).Store(kept)
	return kept.number
}

// find returns the object of a number, or nil if it was removed.
func (o *objects[V]) find(number uintptr) *object[V] {
	if kept := o.slot(number&placeMask - 1).Load(); kept != nil && kept.number == number {
		return kept
	}
	return nil
}

// remove forgets an object, and returns it, or nil if it was removed before.
func (o *objects[V]) remove(number uintptr) *object[V] {
	o.mu.Lock()
	defer o.mu.Unlock()
	slot := o.slot(number&placeMask - 1)
	kept := slot.Load()
	if kept == nil || kept.number != number {
		return nil
	}
	slot.Store(nil)
	o.free = append(o.free, number+(placeMask+1))
	return kept
}
