# frozen_string_literal: true

# kvlight for Ruby: a loading cache. Copy this file and the folder kvlight/ into your project.
#
#   require "kvlight"
#
#   users = Kvlight::Tasks.new("cache.capacity" => 10_000) do |ids|   # called with the keys that the cache lacks
#     DB[:users].where(id: ids).to_h { |row| [row[:id], row] }        # { key => value }; keys left out are remembered as absent
#   end
#   users.fetch("7")                    # a value, or nil: there is no such record
#   users.fetch_all(%w[7 8 7])          # in the order asked; raises the first error
#   users.start("9") { |result| … }     # goes on; the block runs when it is there
#   users.close
#
# The provider runs on threads of its own, at most `tasks.max_running` at a time; blocks given to start run one at a time on a
# thread that reads the cache's queue. No thread but Ruby's ever runs Ruby: a call from another would abort the interpreter.

require "json"
require_relative "kvlight/native"
require_relative "kvlight/request"
require_relative "kvlight/fetch"

module Kvlight
  # An error of the library's. What a provider raises arrives as it is, at everybody who waited.
  class Error < StandardError
    attr_reader :status

    def initialize(status, message = nil)
      @status = status
      message = Native.kvl_status_message(status).to_s if message.nil? || message.empty?
      super("#{name}: #{message}")
    end

    # "KVL_ERR_TIMEOUT"
    def name
      Native.kvl_status_name(@status).to_s
    end

    def self.check(status, message = nil)
      status.negative? ? raise(new(status, message)) : status
    end
  end

  # Put in a key's place by a provider, or raised: that trying again is pointless, whatever the retry settings say.
  class Permanent < StandardError; end

  # What became of one key. `status` is Kvlight::Native::KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY or an error's.
  Result = Struct.new(:key, :value, :error, :status, :source, :attempts, keyword_init: true) do
    # The value, nil if there is none; raises what made it fail.
    def value!
      error ? raise(error) : value
    end
  end

  # A cache with a provider behind it. Its methods may be called from every thread.
  class Tasks
    # What the library would have to call on a thread of its own, or in the middle of a call.
    REFUSED = {
      validator: "check keys before you fetch them",
      cost: "state a value's cost in its answer: request.resolve(key, value, cost: …)",
      removal_listener: "`dropped:` hears of values that nobody holds any more",
      record_listener: "stats counts lookups"
    }.freeze

    # Settings are those of docs/CONFIGURATION.md. `dropped` is called with each value that is no String once cache and fetches hold
    # it no more; `encoding` is that of keys and of values that are Strings.
    def initialize(dropped: nil, encoding: Encoding::UTF_8, delivery: :queue, **settings, &provider)
      settings.each_key do |name|
        instead = REFUSED[name.to_sym]
        raise ArgumentError, "kvlight: Ruby cannot lend the library a function (#{name}): #{instead}" if instead
      end
      unless delivery == :queue
        raise ArgumentError, "kvlight: a thread that is not Ruby's would abort the interpreter; delivery is :queue"
      end
      raise ArgumentError, "kvlight: a block is missing, the provider: it is given keys and returns { key => value }" unless provider

      @provider = provider
      @dropped = dropped
      @encoding = encoding
      @lock = Mutex.new
      @last_id = 0
      @fetches = {} # by id, until they are told
      @objects = {} # values by id, until nobody holds them
      @errors = {}  # what providers raised, likewise
      open(settings)
      ObjectSpace.define_finalizer(self, Tasks.ending(@tasks, @queue))
      @jobs = Thread::Queue.new
      @workers = []
      @pump = Thread.new { pump_until { @closed } }
    end

    # The value of one key, nil if there is none; waits for it, and raises what made it fail.
    def fetch(key, **options)
      if options.empty?
        status, value = look_up(key)
        return value unless status == Native::KVL_MISS
      end
      start(key, **options).value
    end

    # The values of many keys in the order asked, nil where there is none; raises the first error.
    def fetch_all(keys, **options)
      results(keys, **options).map(&:value!)
    end

    # What came of each key, in the order asked; raises nothing that befell a single key.
    def results(keys, **options)
      start_all(keys, **options).wait
    end

    # Begins to fetch one key. The block runs with its Result when it is there.
    def start(key, **options, &block)
      string = key_of(key)
      begin_fetch([string], options, block, single: true) do |tasks, opts, fetch, id|
        Native.kvl_tasks_fetch(tasks, string, string.bytesize, opts, fetch, Native::ON_RESULT, id, nil, nil)
      end
    end

    # Begins to fetch many keys. The block runs with all their Results when the last is there.
    def start_all(keys, **options, &block)
      keys = keys.map { |key| key_of(key) }
      slices = keys.flat_map { |key| [Fiddle::Pointer[key].to_i, key.bytesize] }.pack("Q*")
      begin_fetch(keys, options, block, single: false) do |tasks, opts, fetch, id|
        Native.kvl_tasks_fetch_all(tasks, slices, keys.size, opts, fetch, Native::ON_RESULTS, id, nil, nil)
      end
    end

    # What the cache has, without asking the provider.
    def get(key)
      look_up(key).last
    end

    # Stores a value; nil is "known to be absent". `terms` are ttl_ms, priority, cost. True if it got in.
    def put(key, value, **terms)
      key = key_of(key)
      with_value(value) do |handle|
        with_cache { |cache| Native.kvl_cache_put(cache, key, key.bytesize, handle, Native.stated(**terms)) }
      end == Native::KVL_OK
    end

    # Removes what is stored under a key. True if there was something.
    def remove(key)
      key = key_of(key)
      with_cache { |cache| Native.kvl_cache_remove(cache, key, key.bytesize) } == Native::KVL_OK
    end

    def clear
      with_cache { |cache| Native.kvl_cache_clear(cache) }
      self
    end

    # All that was counted, as a Hash with symbols.
    def stats
      text = use { |tasks| taken { |out| Error.check(Native.kvl_tasks_stats_json(tasks, out)) } }
      JSON.parse(string_of(text), symbolize_names: true)
    ensure
      Native.kvl_value_release(text) if text
    end

    # Ends the cache: whoever waits is told KVL_ERR_CLOSED, and `dropped` hears of all values. May be called twice.
    def close
      begun = @lock.synchronize do
        Error.check(Native.kvl_tasks_close(@tasks, Native::KVL_CLOSE_CANCEL, 0, Native::ON_CLOSED, nil, nil)) unless @closing
        !@closing.tap { @closing = true }
      end
      # Whoever came first frees; inside a block of start the pump is the one who runs this.
      Thread.current == @pump ? pump_until { @closed } : @pump.join
      free if begun
    end

    # -- For requests and fetches, not for programs ----------------------------------------------------------------------

    # Reads the queue on this thread, if it is the one that does; else sleeps until `fetch` is told.
    def wait_for(fetch)
      Thread.current == @pump ? pump_until { fetch.done? } : fetch.sleep_until_told
    end

    # Calls with the engine, which is not freed meanwhile.
    def use
      @lock.synchronize do
        raise Error, Native::KVL_ERR_CLOSED unless @tasks

        yield @tasks
      end
    end

    # Calls with a handle of a value: Strings are bytes, nil is null, all else is an object that stays in Ruby.
    def with_value(value)
      return yield Native.kvl_value_null if value.nil?

      handle = use do
        taken do |out|
          if value.is_a?(String)
            Error.check(Native.kvl_value_new_bytes(value, value.bytesize, out))
          else
            id = keep(@objects, value)
            Error.check(Native.kvl_value_new_object_on(@queue, id, 0, Native::ON_DROP, out))
          end
        end
      end
      begin
        yield handle
      ensure
        Native.kvl_value_release(handle)
      end
    end

    def with_error(error)
      flags = error.is_a?(Permanent) ? Native::KVL_ERROR_F_PERMANENT : 0
      message = error.message.to_s
      handle = use do
        taken do |out|
          id = keep(@errors, error)
          Error.check(Native.kvl_error_new_object(0, message, message.bytesize, flags, @queue, id, Native::ON_DROP, out))
        end
      end
      begin
        yield handle
      ensure
        Native.kvl_error_release(handle)
      end
    end

    # Frees without asking anybody, when Ruby collects or exits.
    def self.ending(tasks, queue)
      proc do
        Native.kvl_tasks_free(tasks)
        Native.kvl_queue_free(queue)
      end
    end

    def inspect
      "#<#{self.class} #{@closing ? 'closed' : "#{@fetches.size} fetches under way"}>"
    end

    private

    def open(settings)
      @queue = taken { |out| Error.check(Native.kvl_queue_new(0, out)) }
      config = taken { |out| Error.check(Native.kvl_config_new(out)) }
      settings.each { |key, value| set("kvl_config", config, key, value) }
      Error.check(Native.kvl_config_set_queue(config, @queue, Native::KVL_QUEUE_F_ALL))
      Error.check(Native.kvl_config_set_provider(config, Native::ON_REQUEST, nil, nil))
      problem = Native.kvl_config_problem(config)
      raise Error.new(Native::KVL_ERR_BAD_VALUE, problem.to_s) unless problem.null?

      @most_workers = %w[tasks.max_running tasks.max_abandoned].sum { |key| setting(config, key) }
      @tasks = taken { |out| Error.check(Native.kvl_tasks_new(config, out, nil)) }
      fd = Fiddle::Pointer.malloc(4, Fiddle::RUBY_FREE)
      Error.check(Native.kvl_queue_fd(@queue, fd))
      # The descriptor is the library's: Ruby must not close it.
      @readable = IO.for_fd(fd[0, 4].unpack1("l"), autoclose: false)
    rescue StandardError
      Native.kvl_queue_free(@queue) if @queue
      raise
    ensure
      Native.kvl_config_free(config) if config
    end

    def set(prefix, handle, key, value)
      case value
      when true, false then Native.send("#{prefix}_set_int", handle, key.to_s, value ? 1 : 0)
      when Integer then Native.send("#{prefix}_set_int", handle, key.to_s, value)
      when Numeric then Native.send("#{prefix}_set_real", handle, key.to_s, value.to_f)
      when String, Symbol then Native.send("#{prefix}_set", handle, key.to_s, value.to_s)
      else raise ArgumentError, "kvlight: the setting #{key} takes a String, a number or a boolean, not #{value.inspect}"
      end
    end

    def setting(config, key)
      text = taken { |out| Error.check(Native.kvl_config_get(config, key, out)) }
      Integer(string_of(text))
    ensure
      Native.kvl_value_release(text) if text
    end

    # The handle that a call writes.
    def taken
      out = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
      out[0, Fiddle::SIZEOF_VOIDP] = [0].pack("Q")
      yield out
      out[0, Fiddle::SIZEOF_VOIDP].unpack1("Q")
    end

    def string_of(handle)
      length = Fiddle::Pointer.malloc(Fiddle::SIZEOF_SIZE_T, Fiddle::RUBY_FREE)
      data = Native.kvl_value_data(handle, length)
      data[0, length[0, Fiddle::SIZEOF_SIZE_T].unpack1("Q")].force_encoding(@encoding)
    end

    def key_of(key)
      key.is_a?(String) ? key : raise(TypeError, "kvlight: keys are Strings, and #{key.inspect} is none")
    end

    def keep(shelf, thing)
      @last_id += 1
      shelf[@last_id] = thing
      @last_id
    end

    def look_up(key)
      key = key_of(key)
      status = nil
      handle = use { |tasks| taken { |out| status = Error.check(Native.kvl_tasks_get(tasks, key, key.bytesize, out)) } }
      return [status, nil] unless status == Native::KVL_VALUE

      object = Native.kvl_value_object(handle)
      [status, object.null? ? string_of(handle) : @objects.fetch(object.to_i)]
    ensure
      Native.kvl_value_release(handle) if handle && handle != 0
    end

    def with_cache
      use do |tasks|
        cache = taken { |out| Error.check(Native.kvl_tasks_cache(tasks, out)) }
        Error.check(yield(cache))
      ensure
        Native.kvl_cache_release(cache) if cache
      end
    end

    def with_options(options)
      return yield nil if options.empty?

      handle = taken { |out| Error.check(Native.kvl_options_new(out)) }
      begin
        options.each { |key, value| set("kvl_options", handle, key, value) }
        problem = Native.kvl_options_problem(handle)
        raise Error.new(Native::KVL_ERR_BAD_VALUE, problem.to_s) unless problem.null?

        yield handle
      ensure
        Native.kvl_options_free(handle)
      end
    end

    def begin_fetch(keys, options, block, single:)
      with_options(options) do |opts|
        handle = taken { |out| Error.check(Native.kvl_fetch_new(out)) }
        fetch = Fetch.new(self, handle, keys, block, single: single)
        begin
          use do |tasks|
            id = keep(@fetches, fetch)
            status = yield tasks, opts, handle, id
            @fetches.delete(id) unless status == Native::KVL_PENDING
            Error.check(status)
          end
        rescue StandardError
          fetch.release
          raise
        end
        fetch
      end
    end

    # -- The pump: reads the queue, and does what the closures wrote down ------------------------------------------------

    def pump_until
      until yield
        IO.select([@readable])
        poll
      end
    end

    def poll
      # A thread that is killed inside a closure would unwind the library.
      Thread.handle_interrupt(Object => :never) { Error.check(Native.kvl_queue_poll(@queue, 256, 0, nil)) }
      work_off
    end

    def work_off
      notes = Native.notes
      while (note = notes.shift)
        handle(*note)
      end
    end

    def handle(what, id = nil, *details)
      case what
      when :told then settle(id, [details.first])
      when :told_all then settle(id, details.first)
      when :asked then ask(Request.new(self, id, details.first.map { |key| key.force_encoding(@encoding) }))
      when :dropped then drop(id)
      when :closed then @closed = true
      end
    end

    def settle(id, copies)
      fetch = @lock.synchronize { @fetches.delete(id) }
      results = copies.map { |copy| result_of(fetch.keys, *copy) }
      fetch.tell(results)
    rescue StandardError => e
      # The program's own; the others who wait must hear of their fetches all the same.
      warn "kvlight: a block given to start raised #{e.full_message}"
    end

    def result_of(keys, index, status, value, error, source, attempts)
      value = value.is_a?(Integer) ? @objects.fetch(value) : value&.force_encoding(@encoding)
      error = error.is_a?(Integer) ? @errors.fetch(error) : Error.new(status, error) if error
      Result.new(key: keys[index], value: value, error: error, status: status, source: source, attempts: attempts)
    end

    def drop(id)
      @lock.synchronize { @errors.delete(id) }
      value = @lock.synchronize { @objects.delete(id) }
      @dropped&.call(value) unless value.nil?
    end

    def ask(request)
      @jobs << request
      return unless @jobs.size > @jobs.num_waiting && @workers.size < @most_workers

      @workers << Thread.new do
        while (job = @jobs.pop)
          job.provide(@provider)
        end
      end
    end

    def free
      @lock.synchronize do
        ObjectSpace.undefine_finalizer(self)
        Error.check(Native.kvl_tasks_free(@tasks))
        @tasks = nil
      end
      @jobs.close
      # Values that the cache held come home.
      poll
      Thread.handle_interrupt(Object => :never) { Error.check(Native.kvl_queue_free(@queue)) }
      @queue = nil
      work_off
    end
  end
end
