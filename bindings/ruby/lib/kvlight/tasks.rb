# frozen_string_literal: true

module Kvlight
  # A cache with a provider. Its methods may be called from any thread. Tasks that are dropped without close are closed
  # when Ruby collects them; `dropped:` is not called then, since it may refer to them.
  class Tasks
    # Settings for callbacks, which the library might call on its own threads, or in the middle of a call.
    REFUSED = {
      validator: "check keys before you fetch them",
      cost: "state a value's cost in its answer: request.resolve(key, value, cost: …)",
      removal_listener: "`dropped:` is called with values that nobody holds any more",
      record_listener: "stats counts lookups"
    }.freeze

    # Keeps Tasks with fetches in progress from being collected: the program may hold only a block.
    BUSY = {}.compare_by_identity
    BUSY_LOCK = Mutex.new
    # Marks an exception of a provider among the objects.
    Raised = Struct.new(:exception)
    BREAKER = { BREAKER_CLOSED => :closed, BREAKER_OPEN => :open, BREAKER_HALF_OPEN => :half_open }.freeze
    FORCE = { nil => BREAKER_FORCE_NONE, closed: BREAKER_FORCE_CLOSED, open: BREAKER_FORCE_OPEN }.freeze
    private_constant :BUSY, :BUSY_LOCK, :Raised, :BREAKER, :FORCE

    # Settings are those of docs/CONFIGURATION.md, as keywords: cache_capacity: 1000. `dropped` is called with each value that is not a
    # String when neither the cache nor a fetch holds it any longer; `on_error` with exceptions of blocks passed to start, and of `dropped`:
    # without it they are printed. `encoding` is that of keys and of values that are Strings.
    def initialize(dropped: nil, on_error: nil, encoding: Encoding::UTF_8, delivery: :queue, **settings, &provider)
      refuse(settings, delivery, provider)
      @provider = provider
      @dropped = dropped
      @on_error = on_error
      @encoding = encoding
      # A fetch without options looks in the store first.
      @looks_first = (settings[:read] || settings["read"] || "normal").to_s == "normal"
      @fetches = ObjectTable.new
      @objects = ObjectTable.new # values, and exceptions of providers, until the library has dropped them
      @engine = Engine.new(settings)
      @providers = Workers.new("kvlight provider", @engine.most_requests)
      @callbacks = Workers.new("kvlight callbacks", 1)
      @engine.start(self, [@providers, @callbacks])
    end

    # Waits for the value of one key, nil if there is no such record; raises the error of a key that fails. A thread that is interrupted
    # while it waits cancels the fetch.
    def fetch(key, **options)
      if options.empty? && @looks_first
        value = @engine.look_up(key_of(key), @objects.objects, @encoding)
        return value unless Native::MISSING.equal?(value)
      end
      waited_for(start(key, **options), &:value)
    end

    # The values of many keys, in the order of the keys, nil where there is no such record; raises the first error.
    def fetch_all(keys, **options)
      results(keys, **options).map(&:value!)
    end

    # The result of each key, in the order of the keys. Does not raise the error of a single key.
    def results(keys, **options)
      waited_for(start_all(keys, **options), &:wait)
    end

    # Starts to fetch one key. The block runs with its Result when it has arrived.
    def start(key, **options, &block)
      key = key_of(key)
      begin_fetch([key], options, block, single: true) do |tasks, stated, fetch, id|
        Native.kvl_tasks_fetch(tasks, key, key.bytesize, stated, fetch, 0, id, 0, 0)
      end
    end

    # Starts to fetch many keys. The block runs with their Results when the last has arrived.
    def start_all(keys, **options, &block)
      keys = keys_of(keys)
      slices = Native.slices(keys)
      begin_fetch(keys, options, block, single: false) do |tasks, stated, fetch, id|
        Native.kvl_tasks_fetch_all(tasks, slices.to_i, keys.size, stated, fetch, 0, id, 0, 0)
      end
    end

    # The stored value, without asking the provider.
    def get(key)
      value = @engine.look_up(key_of(key), @objects.objects, @encoding)
      Native::MISSING.equal?(value) ? nil : value
    end

    # Stores a value; nil stores the key as known to be absent. Terms are ttl_ms:, priority:, cost:, stale_ttl_ms: (how long the value is kept as
    # a fallback after it expires; -1: not at all), version: (of the record, for Request#stale), tags: (names by which remove_tag and
    # expire_tag find the entry), keep_ttl: true (an existing entry keeps its time of expiry) and only_if: :absent or
    # :present. True if it was stored.
    def put(key, value, **terms)
      key = key_of(key)
      Settings.with_terms(**terms) do |stated|
        with_value(value) { |handle| with_cache { |cache| Native.kvl_cache_put(cache, key, key.bytesize, handle, stated) } }
      end == OK
    end

    # Gives an entry a new TTL. True if there was an entry.
    def touch(key, ttl_ms: TTL_DEFAULT)
      key = key_of(key)
      with_cache { |cache| Native.kvl_cache_touch(cache, key, key.bytesize, ttl_ms) } == OK
    end

    # Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if stale_ttl_ms is set. True if
    # there was an entry.
    def expire(key)
      key = key_of(key)
      with_cache { |cache| Native.kvl_cache_expire(cache, key, key.bytesize) } == OK
    end

    # Removes all entries with a tag, and returns their number. Running loads do not store an answer with it.
    def remove_tag(tag)
      change_tagged(tag) { |*given| Native.kvl_cache_remove_tag(*given) }
    end

    # Expires all entries with a tag, as expire does for a key, and returns their number.
    def expire_tag(tag)
      change_tagged(tag) { |*given| Native.kvl_cache_expire_tag(*given) }
    end

    # Expires all entries, as expire does for a key. Running loads do not store their answers.
    def expire_all
      with_cache { |cache| Native.kvl_cache_expire_all(cache) }
      self
    end

    # Reloads keys in the background; the current values are served until then, and stay if the reload fails.
    def refresh(keys, **options)
      keys = keys_of(keys)
      slices = Native.slices(keys)
      with_options(options) do |stated|
        @engine.use { |tasks| Error.check(Native.kvl_tasks_refresh(tasks, slices.to_i, keys.size, stated)) }
      end
      nil
    end

    # Another process has changed these keys: their values leave this process, and the answers of running loads of them are not stored.
    def invalidate(keys)
      keys = keys_of(keys)
      slices = Native.slices(keys)
      @engine.use { |tasks| Error.check(Native.kvl_tasks_invalidate(tasks, slices.to_i, keys.size, 0)) }
      nil
    end

    # Another process may have changed any key: everything leaves this process.
    def invalidate_all
      @engine.use { |tasks| Error.check(Native.kvl_tasks_invalidate(tasks, 0, 0, INVALIDATE_F_ALL)) }
      nil
    end

    # The state of the circuit breaker (breaker_failure_ratio, breaker_consecutive): :closed, :open or :half_open.
    def breaker
      BREAKER.fetch(@engine.use { |tasks| Native.kvl_tasks_breaker_state(tasks) })
    end

    # Forces the circuit breaker :closed or :open, whatever the provider does; nil returns it to automatic operation.
    def force_breaker(state)
      order = FORCE.fetch(state) { raise ArgumentError, "kvlight: the circuit breaker is forced :closed or :open, or left to itself: nil" }
      @engine.use { |tasks| Error.check(Native.kvl_tasks_breaker_force(tasks, order)) }
      nil
    end

    # Removes an entry. True if there was one.
    def remove(key)
      key = key_of(key)
      with_cache { |cache| Native.kvl_cache_remove(cache, key, key.bytesize) } == OK
    end

    def clear
      with_cache { |cache| Native.kvl_cache_clear(cache) }
      self
    end

    # Calls the block with each key and value, nil for a key known to be absent; returns an Enumerator without a block. A key that is in the
    # cache throughout appears exactly once, whatever other threads or the block change. Nothing is loaded, or counted as used.
    def each_entry
      return enum_for(:each_entry) unless block_given?

      iterator = Native.taken { |out| with_cache { |cache| Native.kvl_iterator_new(cache, out) } }
      place = Fiddle::Pointer.malloc(Native::Result::SIZE, Fiddle::RUBY_FREE)
      begin
        while Error.check(Native.kvl_iterator_next(iterator, place.to_i, Native::Result::SIZE)) != EMPTY
          entry = Native.read(Native::Result, place.to_i)
          key = Native.bytes(entry.key, entry.key_len).force_encoding(@encoding)
          yield key, (entry.status == VALUE ? value_of(entry) : nil)
        end
      ensure
        Native.kvl_iterator_free(iterator)
      end
      self
    end

    # Writes the entries to a file, and returns the number of them. An existing file is replaced once the new one is complete. Values that are
    # not Strings are left out: a cache that is to be saved should hold the results of Marshal.dump or JSON.
    def save(path)
      transfer(path) { |*given| Native.kvl_cache_save(*given) }
    end

    # Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored.
    def load(path)
      transfer(path) { |*given| Native.kvl_cache_load(*given) }
    end

    # The statistics as a Hash with symbols: docs/STATISTICS.md.
    def stats
      text = @engine.use { |tasks| Native.taken { |out| Error.check(Native.kvl_tasks_stats_json(tasks, out)) } }
      JSON.parse(Native.content(text).force_encoding(Encoding::UTF_8), symbolize_names: true)
    ensure
      Native.kvl_value_release(text) if text
    end

    # Closes the cache: fetches in progress end with KVL_ERR_CLOSED. When it returns, their blocks have run, and `dropped` was called with
    # all values. May be called twice, and inside a block of start.
    def close
      @engine.close
      if @callbacks.current?
        @callbacks.run_to_the_end
      else
        @engine.wait_until_ended
        @callbacks.join
      end
    end

    def closed?
      !@engine.open?
    end

    def inspect
      "#<#{self.class} #{closed? ? 'closed' : "#{@fetches.size} fetches under way"}>"
    end

    # -- For requests and fetches, not for programs ----------------------------------------------------------------------

    # Whether this process created it, rather than a parent before a fork.
    def is_here?
      @engine.is_here?
    end

    # Calls the block with a handle of a value: a String becomes bytes, nil null, and anything else an object that stays in Ruby.
    def with_value(value)
      return yield Native.kvl_value_null if value.nil?

      handle = @engine.use { value.is_a?(String) ? bytes_value(value) : object_value(value) }
      begin
        yield handle
      ensure
        Native.kvl_value_release(handle)
      end
    end

    def with_error(error)
      handle = @engine.use { error_value(error) }
      begin
        yield handle
      ensure
        Native.kvl_error_release(handle)
      end
    end

    # The object, or the bytes, of a value of the library's.
    def shown(handle)
      id = Native.kvl_value_object(handle)
      id.zero? ? Native.content(handle).force_encoding(@encoding) : @objects[id]
    end

    # -- For the engine ---------------------------------------------------------------------------------------------------

    def runs_on?(engine)
      @engine.equal?(engine)
    end

    # Handles one event, on the pump's thread: reads all memory that it borrows, and runs no code of the program.
    def handle(event)
      case event.kind
      when EVENT_RESULT then settle(event.user_data, [event.result])
      when EVENT_RESULTS then settle(event.user_data, Native.results_of(event.results))
      when EVENT_REQUEST then ask(event.request)
      when EVENT_DROP then drop(event.user_data)
      end
    end

    private

    def refuse(settings, delivery, provider)
      if defined?(Ractor) && Ractor.current != Ractor.main
        raise Ractor::UnsafeError, "kvlight: a cache lives in the main Ractor, since its threads share objects; send keys there instead"
      end

      settings.each_key do |name|
        instead = REFUSED[name.to_sym]
        raise ArgumentError, "kvlight: Ruby cannot lend the library a function (#{name}): #{instead}" if instead
      end
      unless delivery == :queue
        raise ArgumentError, "kvlight: a thread that is not Ruby's would abort the interpreter; delivery is :queue"
      end
      raise ArgumentError, "kvlight: a block is missing, the provider: it is given keys and returns { key => value }" unless provider
    end

    def key_of(key)
      key.is_a?(String) ? key : raise(TypeError, "kvlight: keys are Strings, and #{key.inspect} is none")
    end

    def keys_of(keys)
      raise TypeError, "kvlight: this takes an Array of Strings, or another Enumerable, not #{keys.inspect[..60]}" unless keys.respond_to?(:map)

      keys.map { |key| key_of(key) }
    end

    def bytes_value(bytes)
      Native.taken { |out| Error.check(Native.kvl_value_new_bytes(bytes, bytes.bytesize, out)) }
    end

    def object_value(object)
      kept(object) { |id, out| Native.kvl_value_new_object_on(@engine.queue, id, 0, 0, out) }
    end

    def error_value(error)
      message = message_of(error)
      flags = (error.is_a?(Permanent) ? ERROR_F_PERMANENT : 0) | (error.is_a?(Gone) ? ERROR_F_NO_STALE : 0)
      made = kept(Raised.new(error)) do |id, out|
        Native.kvl_error_new_object(0, message, message.bytesize, flags, @engine.queue, id, 0, out)
      end
      Native.kvl_error_set_retry_after(made, error.after_ms) if error.is_a?(RetryAfter)
      made
    end

    # Returns the handle that the block creates for an object, which is kept until the library reports that the handle was dropped.
    def kept(object)
      id = @objects.put(object)
      made = Native.taken { |out| Error.check(yield(id, out)) }
    ensure
      @objects.delete(id) unless made
    end

    # The message of an error: that method is the program's, and may raise.
    def message_of(error)
      String(error.message)
    rescue StandardError
      error.class.name.to_s
    end

    # Calls the block for a save or a load; raises an error whose message says what is wrong with the file.
    def transfer(path)
      done = Fiddle::Pointer.malloc(Native::Transfer::SIZE, Fiddle::RUBY_FREE)
      status = nil
      why = Native.taken { |out| status = in_cache { |cache| yield cache, path, 0, 0, done.to_i, Native::Transfer::SIZE, out } }
      Error.check(status, why.zero? ? nil : Native.text(Native.kvl_error_message(why)))
      Native.read(Native::Transfer, done.to_i).entries
    ensure
      Native.kvl_error_release(why) if why
    end

    # Calls the block with the cache, a tag, and the place of a number; returns that number.
    def change_tagged(tag)
      raise TypeError, "kvlight: tags are Strings, and #{tag.inspect} is none" unless tag.is_a?(String)

      Native.taken { |out| with_cache { |cache| yield cache, tag, tag.bytesize, out } }
    end

    def with_cache(&call)
      Error.check(in_cache(&call))
    end

    def in_cache
      @engine.use do |tasks|
        cache = Native.taken { |out| Error.check(Native.kvl_tasks_cache(tasks, out)) }
        yield(cache)
      ensure
        Native.kvl_cache_release(cache) if cache
      end
    end

    def with_options(options)
      return yield 0 if options.empty?

      handle = Native.taken { |out| Error.check(Native.kvl_options_new(out)) }
      begin
        Settings.state("kvl_options", handle, options)
        yield handle
      ensure
        Native.kvl_options_free(handle)
      end
    end

    def begin_fetch(keys, options, block, single:)
      with_options(options) do |stated|
        handle = Native.taken { |out| Error.check(Native.kvl_fetch_new(out)) }
        fetch = Fetch.new(self, handle, keys, block, single: single)
        id = enrol(fetch)
        begun = begin_native(stated, handle, id) { |*arguments| yield(*arguments) }
        fetch
      ensure
        forget(id) if id && !begun
        fetch&.release unless begun
      end
    end

    def begin_native(stated, handle, id)
      @engine.use do |tasks|
        @engine.keep_pumping
        Error.check(yield(tasks, stated, handle, id))
      end
    end

    # Waits for a fetch, and cancels it if the thread is interrupted: by Timeout, or killed.
    def waited_for(fetch)
      yield fetch
    ensure
      fetch.cancel unless fetch.done?
    end

    def enrol(fetch)
      BUSY_LOCK.synchronize do
        BUSY[self] = true
        @fetches.put(fetch)
      end
    end

    def forget(id)
      BUSY_LOCK.synchronize do
        @fetches.delete(id)
        BUSY.delete(self) if @fetches.empty?
      end
    end

    def settle(id, addresses)
      fetch = @fetches[id]
      results = addresses.map { |address| result_of(fetch.keys, Native.read(Native::Result, address)) }
      run = fetch.settle(results)
      call_back(&run) if run
      forget(id)
    end

    def result_of(keys, result)
      value = value_of(result) if result.status == VALUE
      error = error_at(result.error, Native.kvl_error_status(result.error)) unless result.error.zero?
      Result.new(key: keys[result.index], value: value, error: error, status: result.status, source: result.source, attempts: result.attempts,
                 age_ms: result.age_ms, ttl_left_ms: result.ttl_left_ms, stale: (result.flags & F_STALE) != 0)
    end

    def value_of(result)
      result.object.zero? ? Native.bytes(result.data, result.data_len).force_encoding(@encoding) : @objects[result.object]
    end

    def error_at(address, status)
      id = Native.kvl_error_object(address)
      return @objects[id].exception unless id.zero?

      cause = Native.kvl_error_cause(address)
      cause = cause.zero? ? nil : error_at(cause, Native.kvl_error_status(cause))
      Error.new(status, Native.text(Native.kvl_error_message(address)), cause)
    end

    def drop(id)
      value = @objects.delete(id)
      call_back { @dropped.call(value) } if @dropped && !value.is_a?(Raised)
    end

    def ask(address)
      keys = Native.keys_of(address).each { |key| key.force_encoding(@encoding) }
      request = Request.new(self, Native.kvl_request_retain(address), keys)
      @providers.push(-> { request.provide(@provider) })
    rescue ThreadError => e
      request.give_up(e)
    end

    # Runs code of the program on the thread for callbacks, and reports its exceptions.
    def call_back(&job)
      @callbacks.push(lambda do
        Thread.handle_interrupt(Object => :immediate) { job.call }
      rescue StandardError, ScriptError, NoMemoryError, SystemStackError => e
        report(e)
      end)
    rescue ThreadError => e
      report(e)
    end

    def report(error)
      return @on_error.call(error) if @on_error

      warn "kvlight: a block given to start, or `dropped:`, raised #{error.full_message}"
    rescue StandardError => e
      warn "kvlight: `on_error:` raised #{e.full_message}"
    end
  end
end
