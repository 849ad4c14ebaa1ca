package kvlight

// ObjectsInUse returns how many objects the library holds, or has dropped without the pump having read of it.
func (t *Tasks[V]) ObjectsInUse() int { return t.engine.objects.inUse() }
