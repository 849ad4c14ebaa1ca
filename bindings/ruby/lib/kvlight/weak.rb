# frozen_string_literal: true

module Kvlight
  # A reference that keeps nothing alive. WeakRef itself loses living objects on Ruby before 3.3 once the heap was compacted, since
  # it finds them by their addresses; this one finds them by numbers, none of which is used twice, and asks what it found whether
  # it is the one.
  class Weak
    OBJECTS = ObjectSpace::WeakMap.new
    NUMBERS = Thread::Queue.new << 0
    private_constant :OBJECTS, :NUMBERS

    def initialize(object)
      NUMBERS << (@number = NUMBERS.pop + 1)
      OBJECTS[@number] = object
    end

    # The object, or nil if it was collected. The block says whether it is the right one.
    def get
      found = OBJECTS[@number]
      found if found && yield(found)
    end
  end
end
