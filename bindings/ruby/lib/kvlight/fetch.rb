# frozen_string_literal: true

module Kvlight
  # A fetch that was begun by Tasks#start or Tasks#start_all.
  class Fetch
    # The keys in the order asked.
    attr_reader :keys

    def initialize(tasks, handle, keys, block, single:)
      @tasks = tasks
      @handle = handle
      @keys = keys
      @block = block
      @single = single
      @told = Thread::Queue.new
      @lock = Mutex.new
    end

    # Tells those who wait for it that it is cancelled, and nobody else.
    def cancel
      @lock.synchronize { Error.check(Native.kvl_fetch_cancel(@handle)) if @handle }
      self
    end

    def done?
      @told.closed?
    end

    # Waits for its Result, or for all its Results.
    def wait
      @tasks.wait_for(self)
      @outcome
    end

    # Waits for the value, or the values; raises the first error.
    def value
      @single ? wait.value! : wait.map(&:value!)
    end

    # -- For Tasks ------------------------------------------------------------------------------------------------------

    def tell(results)
      @outcome = @single ? results.first : results
      release
      @told.close
      @block&.call(@outcome)
    end

    # There is nothing left to cancel.
    def release
      @lock.synchronize do
        Native.kvl_fetch_release(@handle) if @handle
        @handle = nil
      end
    end

    def sleep_until_told
      @told.pop # nil once it is closed
    end
  end
end
