# frozen_string_literal: true

module Kvlight
  # The values that wait for `dropped:`. A thread that puts values waits while there are more than the limit: removals.max_pending or, in a smaller cache,
  # the larger of cache.capacity and 16.
  class Backlog
    # `limit` is nil for no limit.
    def initialize(limit)
      @limit = limit
      @size = 0
      @puts = 0
      @lock = Mutex.new
      @changed = ConditionVariable.new
    end

    def add
      @lock.synchronize { @size += 1 }
    end

    def remove
      @lock.synchronize do
        @size -= 1
        @changed.broadcast
      end
    end

    # Called before each put. A thread of the cache itself does not wait: `dropped:` may wait for it.
    def wait
      return unless @limit

      # Otherwise this thread could put values for its whole time slice, a tenth of a second, before the pump reads that others were dropped.
      if (@puts += 1) > @limit
        @puts = 0
        Thread.pass
      end
      return if @size <= @limit || Workers.worker?

      @lock.synchronize { @changed.wait(@lock) while @size > @limit }
    end
  end
  private_constant :Backlog
end
