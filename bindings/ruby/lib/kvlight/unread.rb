# frozen_string_literal: true

module Kvlight
  # The objects that the library has dropped and that the pump has not read of. A thread that puts objects waits while there are many, since several such
  # threads are faster than the pump.
  #
  # Their number is not known, but the number of objects held has grown by it, and by the number of new entries, since the queue was empty.
  class Unread
    # By how many the objects held may have grown before a thread that puts waits.
    LIMIT = 1024

    def initialize
      @added = 0
      @removed = 0
      @base = 0 # how many it held when the queue was last empty
      @turns = 0 # how often the queue was found empty
      @lock = Mutex.new
      @changed = ConditionVariable.new
    end

    # How many objects the library holds, as far as the pump has read.
    def held
      @added - @removed
    end

    def add
      @lock.synchronize { @added += 1 }
    end

    def remove
      @lock.synchronize { @removed += 1 }
    end

    # Notes that the queue was empty after this many objects were held.
    def empty(held)
      @lock.synchronize do
        @base = held
        @turns += 1
        @changed.broadcast
      end
    end

    # Called before each put. The block says whether the queue is empty; otherwise the pump is to read it. The pump runs no code of the program, so that any
    # thread may wait. Waits for one turn only: the next put waits for the next one.
    def wait
      removed = @removed
      held = @added - removed
      return if held - @base < LIMIT

      turns = @turns
      # The queue also looks empty while the thread that has put the first event into it has not announced that yet.
      if yield && !pause(turns) && yield
        empty(held) if removed == @removed # otherwise fewer are held, and the pump says so
        return
      end
      @lock.synchronize { @changed.wait(@lock) if turns == @turns }
    end

    private

    # Gives other threads a millisecond. Returns whether the queue was found empty meanwhile.
    def pause(turns)
      @lock.synchronize do
        @changed.wait(@lock, 0.001) if turns == @turns
        turns != @turns
      end
    end
  end
  private_constant :Unread
end
