// The program's values and errors, by the IDs under which the library holds them.

'use strict';

// A table with fewer free places is not made shorter.
const MIN_FREE = 1024;

/**
 * An ID is reused once its object was removed. That is safe, since no ID that is still to be looked up can mean an earlier object: the library reports a
 * drop only after every event that refers to the object was taken from the queue, and Tasks replaces the IDs in an event by objects when it takes it.
 */
class Objects {
  objects = [undefined]; // 0 is not an ID
  freeIds = [];
  /** How many objects were added since releaseSome() of Store last set this to 0. */
  added = 0;
  /** The length to which the table is being made shorter: IDs from here on are not reused. */
  #end = Infinity;

  /** Adds an object and returns its ID. */
  add(object) {
    this.added++;
    const id = this.freeIds.length > 0 || this.#reclaim() ? this.freeIds.pop() : this.objects.length;
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
    if (id < this.#end) {
      this.freeIds.push(id);
      if (this.freeIds.length > MIN_FREE && this.freeIds.length > 0.75 * this.objects.length && this.#end === Infinity) {
        this.#halve();
      }
    } else if (id === this.objects.length - 1) {
      this.#cut();
    }
    return object;
  }

  /** Removes all objects and returns them. */
  clear() {
    const objects = this.objects.filter((object) => object !== undefined);
    this.objects = [undefined];
    this.freeIds = [];
    this.#end = Infinity;
    return objects;
  }

  /** Begins to make the table half as long. The objects in the second half stay until they are removed. */
  #halve() {
    this.#end = Math.ceil(this.objects.length / 2);
    this.freeIds = this.freeIds.filter((id) => id < this.#end);
    this.#cut();
  }

  /** Cuts off the free places at the end, at most down to the length that the table is to have. */
  #cut() {
    let n = this.objects.length;
    while (n > this.#end && this.objects[n - 1] === undefined) {
      n--;
    }
    this.objects.length = n;
    if (n === this.#end) {
      this.#end = Infinity;
    }
  }

  /** If the table is being made shorter, gives that up for want of places. Returns whether there are some now. */
  #reclaim() {
    for (let id = this.objects.length - 1; id >= this.#end; id--) {
      if (this.objects[id] === undefined) {
        this.freeIds.push(id);
      }
    }
    this.#end = Infinity;
    return this.freeIds.length > 0;
  }
}

module.exports = { Objects };
