package kvlight

import (
	"math/bits"
	"sync/atomic"
)

// ObjectsInUse returns how many objects the library holds, or has dropped without the pump having read of it.
func (t *Tasks[V]) ObjectsInUse() int { return t.engine.objects.inUse() }

// SetNextIDs gives the next n objects the IDs from `first` on, as if their slots had been used often enough for that.
func (t *Tasks[V]) SetNextIDs(first uintptr, n int) {
	o := &t.engine.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	chunk := bits.Len(uint((first&indexMask-1)/firstChunkSize+1)) - 1
	slots := make([]atomic.Pointer[object[V]], firstChunkSize<<chunk)
	o.chunks[chunk].Store(&slots)
	for i := 0; i < n; i++ {
		o.free = append(o.free, first+uintptr(i))
	}
}
