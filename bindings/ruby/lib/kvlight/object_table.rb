# frozen_string_literal: true

module Kvlight
  # The program's objects, by the ids that the library holds for them. An id is given again once its object was removed: the library reports that it
  # has dropped an object after everything that refers to it.
  class ObjectTable
    VACANT = Object.new.freeze
    private_constant :VACANT

    # The objects at the places of their ids, for a lookup of an object that cannot be removed meanwhile.
    attr_reader :objects

    def initialize
      @objects = [VACANT] # no id is 0
      @free = []
      @lock = Mutex.new
    end

    # Adds an object; returns its id, which is never 0.
    def put(object)
      @lock.synchronize do
        id = @free.pop || @objects.size
        @objects[id] = object
        id
      end
    end

    def [](id)
      @lock.synchronize { @objects[id] }
    end

    # Removes an object; returns it, or nil.
    def delete(id)
      @lock.synchronize do
        object = @objects[id]
        return if VACANT.equal?(object)

        @objects[id] = VACANT
        @free.push(id)
        object
      end
    end

    def empty?
      size.zero?
    end

    def size
      @lock.synchronize { @objects.size - 1 - @free.size }
    end
  end
end
