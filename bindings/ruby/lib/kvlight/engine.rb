# frozen_string_literal: true

module Kvlight
  # The library's engine, the queue of its events, and the pump: the thread that reads the queue and passes each event to the Tasks that
  # own this engine. The reference to the Tasks is weak, so that Tasks that are never closed can be collected, which ends the engine.
  #
  #   open -> closing (close was called, or the Tasks were collected) -> ended (the pump has read KVL_EVENT_CLOSED and freed all)
  class Engine
    include Unique

    attr_reader :queue

    # The maximum number of requests that the provider can have at a time.
    attr_reader :max_requests

    # How many of these requests can hold a slot: tasks.max_running.
    attr_reader :max_running

    # How many values may wait for `dropped:`; nil is no limit. For a small cache it is less than removals.max_pending.
    attr_reader :max_pending

    # The maximum number of requests that the second tier can have at a time.
    attr_reader :max_tier_requests

    # `tier` is an AttachedTier, or nil.
    def initialize(settings, tier = nil)
      @unread = Unread.new
      @lock = Mutex.new
      @state = :open
      @ended = Thread::Queue.new
      @process = Process.pid
      @event = Fiddle::Pointer.malloc(Native::Event::SIZE, Fiddle::RUBY_FREE)
      open(settings, tier)
    end

    # Starts to deliver events to `tasks`. The `workers` are closed when the engine has ended.
    def start(tasks, workers)
      @workers = workers
      @owner = Weak.new(tasks)
      ObjectSpace.define_finalizer(tasks, Engine.finalizer(self))
      @lock.synchronize { ensure_pump }
    end

    # The finalizer of Tasks. It runs on any thread, possibly one that holds the lock, so a new thread closes the engine.
    def self.finalizer(engine)
      proc do
        engine.same_process? && Thread.new { engine.close_quietly }
      rescue ThreadError
        nil # The process is ending.
      end
    end

    # Calls the block with the engine, which is not freed during the call.
    def use
      @lock.synchronize do
        raise Error, ERR_CLOSED if @tasks.zero?

        yield @tasks
      end
    end

    # Waits while too many events wait. Called before each put.
    def await_pump
      @unread.wait(self)
    end

    # How many events wait for the pump, which is running.
    def waiting_events
      @lock.synchronize do
        next 0 if @tasks.zero?

        ensure_pump
        Native.kvl_queue_len(@queue)
      end
    end

    # The limit on the events that wait if more do, and otherwise nil.
    def exceeded_limit
      waiting = waiting_events
      return if waiting <= 16

      limit = Interrupts.off { use { |tasks| limit_of(tasks) } }
      limit if waiting > limit
    end

    def open?
      @state == :open
    end

    # Whether this process created the engine, rather than a parent before a fork.
    def same_process?
      Process.pid == @process
    end

    # Starts to close the engine; wait_until_ended waits for its end.
    def close
      Interrupts.off do
        @lock.synchronize do
          next unless @state == :open

          Error.check(Native.kvl_tasks_close(@tasks, CLOSE_CANCEL, 0, 0, 0, 0))
          @state = :closing
          ensure_pump
        end
      end
    end

    def close_quietly
      close
    rescue Error
      nil
    end

    def ended?
      @ended.closed?
    end

    def wait_until_ended
      @ended.pop # returns nil once the engine has ended
    end

    # Starts the pump if it is not running: it may have been killed when no other thread could be started. The caller holds the lock.
    def ensure_pump
      return if @pump&.alive? || ended?

      @pump = Interrupts.off { Thread.new { pump } }
      @pump.name = "kvlight pump"
    end

    private

    # The number of entries for which there is room, between 16 and 1,024. With a limit on their cost, which the queue's events do not state, it is the
    # number that there are.
    def limit_of(tasks)
      cache = Native.output { |out| Error.check(Native.kvl_tasks_cache(tasks, out)) }
      (Native.kvl_cache_cost_limit(cache).negative? ? Native.kvl_cache_capacity(cache) : Native.kvl_cache_len(cache)).clamp(16, 1024)
    ensure
      Native.kvl_cache_release(cache) if cache
    end

    # Raises an Error with the library's message if the settings contradict each other.
    def create(config)
      memory = Fiddle::Pointer.malloc(16, Fiddle::RUBY_FREE)
      memory[0, 16] = "\0" * 16
      status = Native.kvl_tasks_new(config, memory.to_i, memory.to_i + 8)
      tasks, error = memory[0, 16].unpack("QQ")
      Error.check(status, error.zero? ? nil : Native.text(Native.kvl_error_message(error)))
      tasks
    ensure
      Native.kvl_error_release(error) if error
    end

    def open(settings, tier)
      @tasks = 0
      @server = tier&.server
      @queue = Native.output { |out| Error.check(Native.kvl_queue_new(0, out)) }
      config = Native.output { |out| Error.check(Native.kvl_config_new(out)) }
      Settings.apply("kvl_config", config, settings)
      Error.check(Native.kvl_config_set_queue(config, @queue, QUEUE_F_ALL | QUEUE_F_L2))
      Error.check(Native.kvl_config_set_l2(config, tier.abilities, 0, 0, 0)) if tier
      Error.check(Native.kvl_config_set_provider(config, 0, 0, 0))
      @max_running = Settings.number(config, "tasks.max_running")
      @max_requests = @max_running + Settings.number(config, "tasks.max_abandoned")
      pending = Settings.number(config, "removals.max_pending")
      @max_pending = [pending, [Settings.number(config, "cache.capacity"), 16].max].min unless pending.negative?
      # The requests that run (`l2.max_requests` reads and one write), and as many again that are unfinished after their time limit.
      @max_tier_requests = (Settings.number(config, "l2.max_requests") + 1) * 2
      @tasks = create(config)
      @server&.attach(@tasks)
      descriptor = Native.output { |out| Error.check(Native.kvl_queue_fd(@queue, out)) }
      # The library owns the descriptor: Ruby must not close it.
      @readable = IO.for_fd([descriptor].pack("Q").unpack1("l"), autoclose: false)
    rescue Exception # rubocop:disable Lint/RescueException
      @server&.stop
      Native.kvl_tasks_free(@tasks)
      Native.kvl_queue_free(@queue) if @queue
      raise
    ensure
      Native.kvl_config_free(config) if config
    end

    # Reads the queue. The thread can be killed only while it waits, so that no event is lost. Another thread then continues.
    def pump
      until ended?
        Thread.handle_interrupt(Object => :on_blocking) { IO.select([@readable]) }
        Depth.run { read_events }
      end
    ensure
      begin
        replace_pump
      rescue ThreadError
        nil # The next fetch tries again, unless the process is ending.
      end
    end

    def replace_pump
      @lock.synchronize do
        @pump = nil
        ensure_pump
      end
    end

    def read_events
      loop do
        event = next_event
        @unread.note_read { Native.kvl_queue_len(@queue) }
        break if event.nil?

        event.kind == EVENT_CLOSED ? finish : deliver(event)
      end
    end

    # Returns the next event, or nil if there is none. The memory that it points to is valid until the next call.
    def next_event
      return if @queue.zero?

      status = Error.check(Native.kvl_queue_next(@queue, 0, @event.to_i, Native::Event::SIZE))
      Native::Event.new(*@event[0, Native::Event::SIZE].unpack(Native::Event::FORMAT)) unless status == EMPTY
    end

    def deliver(event)
      @owner.get { |tasks| tasks.engine?(self) }&.handle(event)
    rescue Exception => e # rubocop:disable Lint/RescueException
      # Out of memory or threads: this event is lost, the next ones are not.
      warn "kvlight: an event was lost: #{e.full_message}"
    end

    # Frees the engine and, with it, the values of the cache. Called once the engine has closed, so no fetch is in progress.
    def finish
      @lock.synchronize do
        # Cleared before the free, since a compiled lookup does not take the lock.
        ending, @tasks = @tasks, 0
        @server&.stop # the connection uses the engine until then
        Error.check(Native.kvl_tasks_free(ending))
      end
      read_events
      Error.check(Native.kvl_queue_free(@queue))
    ensure
      @queue = 0
      @unread.finish
      @state = :ended
      @ended.close
      @workers.each(&:close)
    end
  end
end
