// The program's values and errors, by the numbers that the library knows them by.

'use strict';

/**
 * A number is given again once its object was removed. The library reports that an object was dropped after everything that refers to it, so
 * nothing that follows means the earlier object.
 */
class Objects {
  things = [undefined]; // no number is 0
  free = [];

  /** Keeps an object, and returns its number. */
  add(thing) {
    if (this.free.length === 0) {
      return this.things.push(thing) - 1;
    }
    const number = this.free.pop();
    this.things[number] = thing;
    return number;
  }

  get(number) {
    return this.things[number];
  }

  /** Forgets an object, and returns it. */
  remove(number) {
    const thing = this.things[number];
    this.things[number] = undefined;
    this.free.push(number);
    return thing;
  }
}

module.exports = { Objects };
