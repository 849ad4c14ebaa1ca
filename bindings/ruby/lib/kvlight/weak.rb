# frozen_string_literal: true

module Kvlight
  # A weak reference. Before Ruby 3.3, WeakRef loses live objects when the heap is compacted, since it finds them by their addresses. This class
  # finds them by IDs of its own, which do not repeat, and lets the caller check the object.
  class Weak
    OBJECTS = ObjectSpace::WeakMap.new
    LOCK = Mutex.new
    private_constant :OBJECTS, :LOCK

    @last = 0

    def self.next_id
      LOCK.synchronize { @last += 1 }
    end

    def initialize(object)
      @id = Weak.next_id
      OBJECTS[@id] = object
    end

    # Returns the object, or nil if it was collected. The block is called with the object and returns whether it is the right one.
    def get
      found = OBJECTS[@id]
      found if found && yield(found)
    end
  end
end
