// The program's values and errors, by the IDs under which the library holds them.

'use strict';

/**
 * An ID is reused once its object was removed. This is safe because the library reports a drop after every event that refers to the object: no
 * later event can mean the earlier object.
 */
class Objects {
  objects = [undefined]; // 0 is not an ID
  freeIds = [];

  /** Adds an object and returns its ID. */
  add(object) {
    if (this.freeIds.length === 0) {
      return this.objects.push(object) - 1;
    }
    const id = this.freeIds.pop();
    this.objects[id] = object;
    return id;
  }

  get(id) {
    return this.objects[id];
  }

  /** Removes an object and returns it. */
  remove(id) {
    const object = this.objects[id];
    this.objects[id] = undefined;
    this.freeIds.push(id);
    return object;
  }
}

module.exports = { Objects };
