# frozen_string_literal: true

module Kvlight
  # The library's engine, the queue of its events, and the pump: the thread that reads the queue and hands each event to the Tasks
  # that own this engine. It refers to them weakly, so that Tasks that are dropped without close can be collected, which ends the engine.
  #
  #   open -> closing (close was called, or the Tasks were collected) -> ended (the pump has read KVL_EVENT_CLOSED and freed all)
  class Engine
    attr_reader :queue

    # The greatest number of requests that the provider can have at a time.
    attr_reader :most_requests

    def initialize(settings)
      @lock = Mutex.new
      @state = :open
      @ended = Thread::Queue.new
      @process = Process.pid
      @event = Fiddle::Pointer.malloc(Native::Event::SIZE, Fiddle::RUBY_FREE)
      open(settings)
    end

    # Starts to hand events to `tasks`; `workers` are closed at the end.
    def start(tasks, workers)
      @workers = workers
      @owner = Weak.new(tasks)
      ObjectSpace.define_finalizer(tasks, Engine.ending(self))
      @lock.synchronize { keep_pumping }
    end

    # The finalizer of Tasks. It runs on any thread, possibly in the middle of a call, so a separate thread takes the lock.
    def self.ending(engine)
      proc do
        engine.is_here? && Thread.new { engine.close_unasked }
      rescue ThreadError
        nil # The process ends.
      end
    end

    # Calls the block with the engine, which is not freed during the call.
    def use
      @lock.synchronize do
        raise Error, ERR_CLOSED if @tasks.zero?

        yield @tasks
      end
    end

    def open?
      @state == :open
    end

    # Whether this process created it, rather than a parent before a fork.
    def is_here?
      Process.pid == @process
    end

    # Starts to close; wait_until_ended waits for the end.
    def close
      @lock.synchronize do
        next unless @state == :open

        Error.check(Native.kvl_tasks_close(@tasks, CLOSE_CANCEL, 0, 0, 0, 0))
        @state = :closing
        keep_pumping
      end
    end

    def close_unasked
      close
    rescue Error
      nil
    end

    def ended?
      @ended.closed?
    end

    def wait_until_ended
      @ended.pop # nil once it is closed
    end

    # Starts the pump, or restarts it if it was killed and no thread could be started then. The caller holds the lock.
    def keep_pumping
      return if @pump&.alive? || ended?

      @pump = Thread.handle_interrupt(Object => :never) { Thread.new { pump } }
      @pump.name = "kvlight pump"
    end

    private

    # Raises an error with the library's sentence if the settings contradict each other.
    def create(config)
      place = Fiddle::Pointer.malloc(16, Fiddle::RUBY_FREE)
      place[0, 16] = "\0" * 16
      status = Native.kvl_tasks_new(config, place.to_i, place.to_i + 8)
      tasks, why = place[0, 16].unpack("QQ")
      Error.check(status, why.zero? ? nil : Native.text(Native.kvl_error_message(why)))
      tasks
    ensure
      Native.kvl_error_release(why) if why
    end

    def open(settings)
      @tasks = 0
      @queue = Native.taken { |out| Error.check(Native.kvl_queue_new(0, out)) }
      config = Native.taken { |out| Error.check(Native.kvl_config_new(out)) }
      Settings.state("kvl_config", config, settings)
      Error.check(Native.kvl_config_set_queue(config, @queue, QUEUE_F_ALL))
      Error.check(Native.kvl_config_set_provider(config, 0, 0, 0))
      @most_requests = %w[tasks.max_running tasks.max_abandoned].sum { |key| Settings.number(config, key) }
      @tasks = create(config)
      descriptor = Native.taken { |out| Error.check(Native.kvl_queue_fd(@queue, out)) }
      # The library owns the descriptor: Ruby must not close it.
      @readable = IO.for_fd([descriptor].pack("Q").unpack1("l"), autoclose: false)
    rescue StandardError
      Native.kvl_tasks_free(@tasks)
      Native.kvl_queue_free(@queue) if @queue
      raise
    ensure
      Native.kvl_config_free(config) if config
    end

    # Reads the queue. The thread can be killed only while it waits, so that no event is lost; then another thread continues.
    def pump
      until ended?
        Thread.handle_interrupt(Object => :on_blocking) { IO.select([@readable]) }
        Depth.run { read_events }
      end
    ensure
      begin
        keep_pumping_after_this_one
      rescue ThreadError
        nil # The next fetch tries again, unless the process is ending.
      end
    end

    def keep_pumping_after_this_one
      @lock.synchronize do
        @pump = nil
        keep_pumping
      end
    end

    def read_events
      while (event = next_event)
        event.kind == EVENT_CLOSED ? finish : hand_over(event)
      end
    end

    # The memory to which the event points is valid until the next event is taken.
    def next_event
      return if @queue.zero?

      status = Error.check(Native.kvl_queue_next(@queue, 0, @event.to_i, Native::Event::SIZE))
      Native::Event.new(*@event[0, Native::Event::SIZE].unpack(Native::Event::FORMAT)) unless status == EMPTY
    end

    def hand_over(event)
      @owner.get { |tasks| tasks.runs_on?(self) }&.handle(event)
    rescue Exception => e # rubocop:disable Lint/RescueException
      # Out of memory or threads: this event is lost, but not those that follow.
      warn "kvlight: an event was lost: #{e.full_message}"
    end

    # Frees the engine when no fetch is in progress any longer. The values of the cache are dropped then.
    def finish
      @lock.synchronize do
        # First, since a compiled lookup does not take the lock.
        ending, @tasks = @tasks, 0
        Error.check(Native.kvl_tasks_free(ending))
      end
      read_events
      Error.check(Native.kvl_queue_free(@queue))
    ensure
      @queue = 0
      @state = :ended
      @ended.close
      @workers.each(&:close)
    end
  end
end
