# frozen_string_literal: true

module Kvlight
  # A weak reference. On Ruby before 3.3, WeakRef loses live objects after the heap was compacted, since it finds them by their addresses.
  # This one finds them by its own numbers, none of which is used twice, and checks that the object found is the right one.
  class Weak
    OBJECTS = ObjectSpace::WeakMap.new
    NUMBERS = Thread::Queue.new << 0
    private_constant :OBJECTS, :NUMBERS

    def initialize(object)
      NUMBERS << (@number = NUMBERS.pop + 1)
      OBJECTS[@number] = object
    end

    # The object, or nil if it was collected. The block returns whether an object is the right one.
    def get
      found = OBJECTS[@number]
      found if found && yield(found)
    end
  end
end
