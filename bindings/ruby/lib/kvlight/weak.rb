# frozen_string_literal: true

module Kvlight
  # A reference that keeps nothing alive. WeakRef itself loses living objects on Ruby before 3.3 once the heap was compacted, since
  # it finds them by their addresses; this one finds them by a number, and asks what it found whether it is the one.
  class Weak
    OBJECTS = ObjectSpace::WeakMap.new
    private_constant :OBJECTS

    def initialize(object, number)
      @number = number
      OBJECTS[number] = object
    end

    # The object, or nil if it was collected. The block says whether it is the right one.
    def get
      found = OBJECTS[@number]
      found if found && yield(found)
    end
  end
end
