# frozen_string_literal: true

module Kvlight
  # The program's objects, by the ids that the library holds for them.
  class ObjectTable
    def initialize
      @objects = {}
      @last_id = 0
      @lock = Mutex.new
    end

    # Adds an object; returns its id, which is never 0.
    def put(object)
      @lock.synchronize do
        @last_id += 1
        @objects[@last_id] = object
        @last_id
      end
    end

    def [](id)
      @lock.synchronize { @objects.fetch(id) }
    end

    # Removes an object; returns it, or nil.
    def delete(id)
      @lock.synchronize { @objects.delete(id) }
    end

    def empty?
      @lock.synchronize { @objects.empty? }
    end

    def size
      @lock.synchronize { @objects.size }
    end
  end
end
