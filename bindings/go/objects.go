package kvlight

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// objects holds the program's values and errors, by the IDs under which the library knows them. A lookup takes no lock, and any goroutine may make
// one while others add and remove. A lookup of an object that was removed finds nothing.
//
// The lower indexBits bits of an ID are the index of a slot, counted from 1; the bits above say how often the slot was used before. IDs of 32 bits do
// repeat: there, the caller of a lookup holds the library's handle of the object until the lookup is done (go_get in shim.h).
type objects[V any] struct {
	// Chunk i has firstChunkSize << i slots. It is never moved or freed, so that a lookup can read it without the lock.
	chunks [indexBits]atomic.Pointer[[]atomic.Pointer[object[V]]]

	mu sync.Mutex
	// The next IDs of the slots that have become empty.
	free []uintptr
	// The number of slots, in use or empty.
	slots uintptr
}

// object is a value, or an error of the provider.
type object[V any] struct {
	id    uintptr
	value V
	err   error
}

const (
	indexBits      = 24 + bits.UintSize/64*8
	indexMask      = 1<<indexBits - 1
	firstChunkSize = 256
)

// slot returns the slot with an index, counted from 0, or nil if there is none.
func (o *objects[V]) slot(index uintptr) *atomic.Pointer[object[V]] {
	chunk := bits.Len(uint(index/firstChunkSize+1)) - 1
	if slots := o.chunks[chunk].Load(); slots != nil {
		return &(*slots)[index-firstChunkSize*(1<<chunk-1)]
	}
	return nil
}

// add adds an object and returns its ID, or 0 if all slots are in use.
func (o *objects[V]) add(added *object[V]) uintptr {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last := len(o.free) - 1; last >= 0 {
		added.id, o.free = o.free[last], o.free[:last]
	} else if o.slots < indexMask {
		chunk := bits.Len(uint(o.slots/firstChunkSize+1)) - 1
		if o.chunks[chunk].Load() == nil {
			slots := make([]atomic.Pointer[object[V]], firstChunkSize<<chunk)
			o.chunks[chunk].Store(&slots)
		}
		o.slots++
		added.id = o.slots
	} else {
		return 0
	}
	o.slot(added.id&indexMask - 1).Store(added)
	return added.id
}

// find returns the object with an ID, or nil if it was removed.
func (o *objects[V]) find(id uintptr) *object[V] {
	if added := o.slot(id&indexMask - 1).Load(); added != nil && added.id == id {
		return added
	}
	return nil
}

// remove removes an object and returns it, or nil if it was removed before.
func (o *objects[V]) remove(id uintptr) *object[V] {
	o.mu.Lock()
	defer o.mu.Unlock()
	slot := o.slot(id&indexMask - 1)
	added := slot.Load()
	if added == nil || added.id != id {
		return nil
	}
	slot.Store(nil)
	o.free = append(o.free, id+(indexMask+1))
	return added
}

// inUse returns the number of objects.
func (o *objects[V]) inUse() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int(o.slots) - len(o.free)
}
