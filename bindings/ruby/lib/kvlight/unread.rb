# frozen_string_literal: true

module Kvlight
  # Holds threads that put objects back while more events than a limit wait in the queue for the pump. Otherwise several threads could drop objects faster
  # than the pump reads of them, without a limit.
  #
  # A thread that puts looks at the queue now and then. If it is too long, the thread waits until the pump has read half of the limit, and then continues:
  # its next put looks again. The pump runs no code of the program, so that any thread may wait for it.
  class Unread
    # One of this many puts looks at the queue.
    PUTS_PER_LOOK = 16

    # How many seconds a thread waits at most: if the system has refused a thread for the pump, the next look asks for it again.
    PATIENCE = 1

    def initialize
      @puts = 0
      @exceeded = nil # the limit, while threads may wait: then each put looks at the queue, and the pump too
      @has_ended = false
      @lock = Mutex.new
      @caught_up = ConditionVariable.new
    end

    # Called before each put. `engine` tells how long the queue is, and whether it is too long.
    def wait(engine)
      return unless @exceeded || ((@puts += 1) % PUTS_PER_LOOK).zero?

      limit = @exceeded || engine.exceeded_limit
      return unless limit

      @lock.synchronize do
        @exceeded = limit
        # The pump may have read the last event before it could see that: so this looks again.
        @caught_up.wait(@lock, PATIENCE) if !@has_ended && engine.waiting_events > limit / 2
      end
    end

    # Lets the threads go if the pump, which has read from the queue, has caught up. The block returns how many events wait.
    def note_read
      limit = @exceeded
      release if limit && yield <= limit / 2
    end

    # Lets all threads go, for ever: nothing reads the queue any more.
    def finish
      @has_ended = true
      release
    end

    private

    def release
      @lock.synchronize do
        @exceeded = nil
        @caught_up.broadcast
      end
    end
  end
  private_constant :Unread
end
