# frozen_string_literal: true

module Kvlight
  # A fetch that was started by Tasks#start or Tasks#start_all.
  class Fetch
    include Unique

    # The keys in the order of the call.
    attr_reader :keys

    # `must_load`: every key is to be loaded, even if it is stored.
    def initialize(tasks, handle, keys, block, single:, must_load:)
      @tasks = tasks
      @handle = handle
      @keys = keys
      @block = block
      @single = single
      @must_load = must_load
      @settled = Thread::Queue.new
      @lock = Mutex.new
    end

    # Cancels this fetch alone, which then fails with KVL_ERR_CANCELLED.
    def cancel
      @lock.synchronize { Error.check(Native.kvl_fetch_cancel(@handle)) if @handle }
      self
    end

    def done?
      @settled.closed?
    end

    # Waits until the fetch is done. Returns its Result, or an Array of Results.
    def wait
      unless done?
        raise Error, ERR_FORKED unless @tasks.same_process?

        Request.current&.check_wait(@tasks, self)
      end
      @settled.pop # returns nil once the fetch is done
      @outcome
    end

    # Waits until the fetch is done. Returns the value, or an Array of values; raises the first error.
    def value
      @single ? wait.value! : wait.map(&:value!)
    end

    # -- For Tasks ------------------------------------------------------------------------------------------------------

    # Whether every key is to be loaded, even if it is stored.
    def must_load?
      @must_load
    end

    # Whether every key has its outcome, which the pump may not have read yet.
    def settled?
      @lock.synchronize do
        return true unless @handle

        Native.output { |out| Error.check(Native.kvl_fetch_progress(@handle, out, 0, 0)) } == @keys.size
      end
    end

    # Sets the outcome and wakes the waiting threads. Returns a lambda that calls the block, or nil if there is no block.
    def settle(results)
      @outcome = @single ? results.first : results
      release
      @settled.close
      return unless @block

      block = @block
      @block = nil
      -> { block.call(@outcome) }
    end

    # Releases the handle: the fetch can no longer be cancelled.
    def release
      @lock.synchronize do
        handle, @handle = @handle, nil
        Native.kvl_fetch_release(handle) if handle
      end
    end
  end
end
