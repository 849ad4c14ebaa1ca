# frozen_string_literal: true

module Kvlight
  # The program's objects, by the IDs under which the library holds them. An ID is reused once its object was removed. This is safe because the library
  # reports that it has dropped an object only after the last event that refers to it.
  class ObjectTable
    VACANT = Object.new.freeze
    private_constant :VACANT

    # The objects, indexed by ID. Reading this array does not take the lock; do so only for an object that cannot be removed meanwhile.
    attr_reader :objects

    def initialize
      @objects = [VACANT] # 0 is not an ID
      @free = []
      @lock = Mutex.new
    end

    # Adds an object and returns its ID.
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

    # Removes an object and returns it, or nil if there is none.
    def delete(id)
      @lock.synchronize do
        object = @objects[id]
        return if id >= @objects.size || VACANT.equal?(object)

        @objects[id] = VACANT
        @free.push(id)
        object
      end
    end

    def size
      @lock.synchronize { @objects.size - 1 - @free.size }
    end
  end

  # The fetches in progress, by the IDs under which the library reports their outcomes. No ID is used twice, so an outcome reaches its own fetch or, if a
  # signal such as Ctrl-C interrupted the call that started the fetch, none.
  class FetchTable
    def initialize
      @fetches = {}
      @last = 0
      @lock = Mutex.new
    end

    # Adds a fetch and returns its ID.
    def put(fetch)
      @lock.synchronize do
        @fetches[@last += 1] = fetch
        @last
      end
    end

    def [](id)
      @lock.synchronize { @fetches[id] }
    end

    def delete(id)
      @lock.synchronize { @fetches.delete(id) }
    end

    def empty?
      size.zero?
    end

    def size
      @lock.synchronize { @fetches.size }
    end
  end
end
