# frozen_string_literal: true

module Kvlight
  # Objects of the program's by the ids that the library carries for them.
  class Shelf
    def initialize
      @objects = {}
      @last_id = 0
      @lock = Mutex.new
    end

    # Returns its id, which is never 0.
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

    # Returns what was there, or nil.
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
