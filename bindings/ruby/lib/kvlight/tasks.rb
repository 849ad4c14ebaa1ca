# frozen_string_literal: true

module Kvlight
  # A cache with a provider. Its methods may be called from any thread. Tasks that become unreachable without close are closed when Ruby collects
  # them; `dropped:` is not called then, since it may refer to them.
  class Tasks
    include Unique

    # Functions that the library would call on its own threads or in the middle of a call, and what to use instead.
    UNSUPPORTED = {
      validator: "check keys before you fetch them",
      cost: "pass the cost of a value with its answer: request.resolve(key, value, cost: …)",
      removal_listener: "`dropped:` is called with each value that is not a String once neither the cache nor a fetch holds it",
      record_listener: "stats counts lookups"
    }.freeze

    # The Tasks with fetches in progress, so that they are not collected while the program refers only to a block.
    IN_PROGRESS = {}.compare_by_identity
    IN_PROGRESS_LOCK = Mutex.new
    # Wraps an exception of a provider, to distinguish it from a value among the objects.
    ProviderError = Struct.new(:exception)
    BREAKER = { BREAKER_CLOSED => :closed, BREAKER_OPEN => :open, BREAKER_HALF_OPEN => :half_open }.freeze
    FORCE = { nil => BREAKER_FORCE_NONE, closed: BREAKER_FORCE_CLOSED, open: BREAKER_FORCE_OPEN }.freeze
    private_constant :IN_PROGRESS, :IN_PROGRESS_LOCK, :ProviderError, :BREAKER, :FORCE

    # Settings are those of docs/CONFIGURATION.md, as keywords: cache_capacity: 1000. `dropped` is called with each value that is not a String once
    # neither the cache nor a fetch holds it any longer. `on_error` is called with exceptions of `dropped`, of blocks passed to start and of the
    # second tier; without it they are printed. `encoding` is the encoding of keys and of values that are Strings.
    # `second_tier` is a store in which keys are looked up before the provider is called: see SecondTier. `dump` converts a value that is not a String
    # to a String for it, and `load` converts it back: Marshal.method(:dump) and Marshal.method(:load). Without them, such values stay in this process.
    # `l2_url`, instead of `second_tier`, is a Redis or Valkey server, as in "redis://user:password@host:6379/0?prefix=shop". It needs
    # libkvlight_redis, and raises LoadError without it; the options of the URL are those of kvlight_redis.h.
    def initialize(dropped: nil, on_error: nil, encoding: Encoding::UTF_8, delivery: :queue, second_tier: nil, l2_url: nil, dump: nil, load: nil,
                   **settings, &provider)
      check_arguments(settings, delivery, provider)
      check_callable(dropped: dropped, on_error: on_error, dump: dump, load: load)
      @provider = provider
      @dropped = dropped
      @on_error = on_error
      @encoding = Encoding.find(encoding)
      @fetches = FetchTable.new
      @objects = ObjectTable.new # values and exceptions of providers that the library holds
      raise ArgumentError, "kvlight: second_tier: and l2_url: exclude each other: there is one second tier" if second_tier && l2_url

      second_tier ||= RedisTier.new(l2_url) if l2_url
      raise ArgumentError, "kvlight: dump: and load: are for a second_tier: or an l2_url:" if second_tier.nil? && (dump || load)

      @tier = AttachedTier.new(second_tier, dump, load) if second_tier
      Interrupts.off { open(settings) }
    end

    # Waits for the value of one key, and returns it, or nil if there is no such record; raises the error of a key that fails. A thread that is
    # interrupted while it waits cancels the fetch.
    def fetch(key, **options)
      if options.empty? && @reads_store_first
        value = @engine.look_up(key_of(key), @objects.objects, @encoding)
        return value unless Native::MISSING.equal?(value)
      end
      outcome_of(:value) { start(key, **options) }
    end

    # Returns the values of many keys, in the order of the keys, with nil where there is no such record; raises the first error.
    def fetch_all(keys, **options)
      results(keys, **options).map(&:value!)
    end

    # Returns the Result of each key, in the order of the keys. The error of a key is in its Result and is not raised.
    def results(keys, **options)
      outcome_of(:wait) { start_all(keys, **options) }
    end

    # Starts to fetch one key and returns a Fetch. The block is called with the Result.
    def start(key, **options, &block)
      key = key_of(key)
      begin_fetch([key], options, block, single: true) do |tasks, packed, fetch, id|
        Native.kvl_tasks_fetch(tasks, key, key.bytesize, packed, fetch, 0, id, 0, 0)
      end
    end

    # Starts to fetch many keys and returns a Fetch. The block is called once, with all Results.
    def start_all(keys, **options, &block)
      keys = keys_of(keys)
      slices = Native.slices(keys)
      begin_fetch(keys, options, block, single: false) do |tasks, packed, fetch, id|
        Native.kvl_tasks_fetch_all(tasks, slices.to_i, keys.size, packed, fetch, 0, id, 0, 0)
      end
    end

    # Returns the stored value; nil if the key is not in the cache, or is known to be absent. Never calls the provider.
    def get(key)
      value = @engine.look_up(key_of(key), @objects.objects, @encoding)
      Native::MISSING.equal?(value) ? nil : value
    end

    # Stores a value; nil stores the key as known to be absent. Returns whether it was stored. Terms are ttl_ms:, priority:, cost:, stale_ttl_ms: (how
    # long the value is kept as a fallback after it expires; -1 for not at all), version: (of the record, for Request#stale), tags: (names by
    # which remove_tag and expire_tag find the entry), keep_ttl: true (an existing entry keeps its time of expiry) and only_if: :absent or
    # :present. Waits while more values wait for `dropped:` than removals_max_pending or, in a smaller cache, than the larger of cache_capacity
    # and 16. In code that the cache calls it does not wait.
    def put(key, value, **terms)
      key = key_of(key)
      if same_process?
        @backlog&.wait
        @engine.await_pump
      end
      Settings.with_terms(**terms) do |packed|
        with_value(value) { |handle| Error.check(in_cache { |cache| Native.kvl_cache_put(cache, key, key.bytesize, handle, packed) }) }
      end == OK
    end

    # Gives an entry a new TTL, counted from now. Returns whether there was an entry.
    def touch(key, ttl_ms: TTL_DEFAULT)
      key = key_of(key)
      Settings.whole(ttl_ms, :ttl_ms)
      with_cache { |cache| Native.kvl_cache_touch(cache, key, key.bytesize, ttl_ms) } == OK
    end

    # Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if stale_ttl_ms is set. Returns
    # whether there was an entry. From a second tier the entry is removed.
    def expire(key)
      key = key_of(key)
      with_cache { |cache| Native.kvl_cache_expire(cache, key, key.bytesize) } == OK
    end

    # Removes all entries with a tag, and returns their number. A running load whose answer has the tag does not store it.
    def remove_tag(tag)
      change_tagged(tag) { |*arguments| Native.kvl_cache_remove_tag(*arguments) }
    end

    # Expires all entries with a tag, as expire does for a key, and returns their number.
    def expire_tag(tag)
      change_tagged(tag) { |*arguments| Native.kvl_cache_expire_tag(*arguments) }
    end

    # Expires all entries, as expire does for a key. Running loads do not store their answers. A second tier is cleared, for all processes.
    def expire_all
      with_cache { |cache| Native.kvl_cache_expire_all(cache) }
      self
    end

    # Reloads keys in the background; the current values are served until then, and stay if the reload fails.
    def refresh(keys, **options)
      keys = keys_of(keys)
      slices = Native.slices(keys)
      with_options(options) do |packed|
        @engine.use { |tasks| Error.check(Native.kvl_tasks_refresh(tasks, slices.to_i, keys.size, packed)) }
      end
      nil
    end

    # Says that another process has changed these keys: their values leave this process, and answers of running loads are not stored.
    def invalidate(keys)
      keys = keys_of(keys)
      slices = Native.slices(keys)
      @engine.use { |tasks| Error.check(Native.kvl_tasks_invalidate(tasks, slices.to_i, keys.size, 0)) }
      nil
    end

    # Says that another process may have changed any key: all values leave this process.
    def invalidate_all
      @engine.use { |tasks| Error.check(Native.kvl_tasks_invalidate(tasks, 0, 0, INVALIDATE_F_ALL)) }
      nil
    end

    # The state of the connection to the server of `l2_url`, as a Hash with the members of kvl_redis_state: whether it is `connected`, and if not, what is
    # wrong and how to fix it (`problem`).
    def l2_state
      (@tier&.server or raise ArgumentError, "kvlight: these Tasks have no l2_url:").state
    end

    # The state of the circuit breaker (breaker_failure_ratio, breaker_consecutive): :closed, :open or :half_open.
    def breaker
      BREAKER.fetch(@engine.use { |tasks| Native.kvl_tasks_breaker_state(tasks) })
    end

    # Forces the circuit breaker :closed or :open, whatever the provider does; nil returns it to automatic operation.
    def force_breaker(state)
      force = FORCE.fetch(state) { raise ArgumentError, "kvlight: force_breaker takes :closed, :open, or nil for automatic operation" }
      @engine.use { |tasks| Error.check(Native.kvl_tasks_breaker_force(tasks, force)) }
      nil
    end

    # Removes an entry. Returns whether there was one.
    def remove(key)
      key = key_of(key)
      with_cache { |cache| Native.kvl_cache_remove(cache, key, key.bytesize) } == OK
    end

    # Removes all entries.
    def clear
      with_cache { |cache| Native.kvl_cache_clear(cache) }
      self
    end

    # Calls the block with each key and value, with nil for a key known to be absent; returns an Enumerator without a block. A key that stays in the
    # cache throughout appears exactly once, whatever other threads or the block change. Loads nothing, and does not count as a use.
    def each_entry
      return enum_for(:each_entry) unless block_given?

      entries = nil
      Interrupts.off { entries = Entries.new(Native.output { |out| with_cache { |cache| Native.kvl_iterator_new(cache, out) } }) }
      while (entry = entries.next)
        key = Native.bytes(entry.key, entry.key_len).force_encoding(@encoding)
        yield key, (entry.status == VALUE ? value_of(entry) : nil)
      end
      self
    ensure
      Interrupts.off { entries.free } if entries
    end

    # Writes the entries to a file, with their remaining TTLs, and returns their number. An existing file is replaced once the new one is complete.
    # Values that are not Strings are left out: to save a cache, store the results of Marshal.dump or JSON in it. `path` is a String or a Pathname.
    def save(path)
      transfer(path) { |*arguments| Native.kvl_cache_save(*arguments) }
    end

    # Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored.
    def load(path)
      transfer(path) { |*arguments| Native.kvl_cache_load(*arguments) }
    end

    # Returns the statistics, as a Hash with symbols: docs/STATISTICS.md.
    def stats
      Native.json { |out| @engine.use { |tasks| Error.check(Native.kvl_tasks_stats_json(tasks, out)) } }
    end

    # Closes the cache: fetches in progress fail with KVL_ERR_CLOSED. When it returns, their blocks have been called, and `dropped` was called with
    # every value. May be called twice, and inside a block of start.
    def close
      @engine.close
      if @callbacks.current?
        @callbacks.run_until_closed
      else
        @engine.wait_until_ended
        @callbacks.join
      end
    end

    def closed?
      !@engine.open?
    end

    def inspect
      "#<#{self.class} #{closed? ? 'closed' : "#{@fetches.size} fetches in progress"}>"
    end

    # -- For requests and fetches, not for programs ----------------------------------------------------------------------

    # Whether this process created the cache, rather than a parent before a fork.
    def same_process?
      @engine.same_process?
    end

    # Whether the provider has a single slot, and a missing key can come from the provider only.
    def single_slot?
      @engine.max_running == 1 && @tier.nil?
    end

    # Whether a key is in the cache. Asking does not count as a use of the entry.
    def stored?(key)
      Interrupts.off { in_cache { |cache| Native.kvl_cache_contains(cache, key, key.bytesize) } }.between?(VALUE, NULL)
    end

    # Calls the block with a handle of a value. A String becomes bytes, nil becomes null, and anything else an object that stays in Ruby.
    def with_value(value)
      Interrupts.off do
        next yield Native.kvl_value_null if value.nil?

        handle = @engine.use { value.is_a?(String) ? bytes_value(value) : object_value(value) }
        yield handle
      ensure
        Native.kvl_value_release(handle) if handle
      end
    end

    # Calls the block with a handle of an error that carries an exception.
    def with_error(error)
      raise TypeError, "kvlight: a key fails with an exception, not #{error.inspect[..60]}" unless error.is_a?(Exception)

      # `message` and `after_ms` may be the program's own methods, which may take long or use the cache. So they are called here, before interrupts
      # are off and the lock is taken.
      message = message_of(error)
      retry_after_ms = error.after_ms if error.is_a?(RetryAfter)
      Interrupts.off do
        handle = @engine.use { error_value(error, message, retry_after_ms) }
        yield handle
      ensure
        Native.kvl_error_release(handle) if handle
      end
    end

    # Calls the block with a handle of an object that stays in Ruby.
    def with_object(object)
      Interrupts.off do
        handle = @engine.use { object_value(object) }
        yield handle
      ensure
        Native.kvl_value_release(handle) if handle
      end
    end

    # Reports an exception of the second tier.
    def tier_failed(error)
      report(error, "the second tier")
    end

    # Returns the object or the bytes of a value handle.
    def value_in(handle)
      id = Native.kvl_value_object(handle)
      id.zero? ? Native.content(handle).force_encoding(@encoding) : @objects[id]
    end

    # -- For the engine ---------------------------------------------------------------------------------------------------

    def engine?(engine)
      @engine.equal?(engine)
    end

    # Handles one event, on the pump's thread. It copies the memory that the event points to, and runs no code of the program.
    def handle(event)
      case event.kind
      when EVENT_RESULT then settle(event.user_data, [event.result])
      when EVENT_RESULTS then settle(event.user_data, Native.results_of(event.results))
      when EVENT_REQUEST then start_request(event.request)
      when EVENT_L2 then serve(event.l2_request)
      when EVENT_DROP then drop(event.user_data)
      end
    end

    private

    def check_arguments(settings, delivery, provider)
      if defined?(Ractor) && Ractor.current != Ractor.main
        raise Ractor::UnsafeError, "kvlight: a cache can be used only in the main Ractor, since its threads share objects; send keys there instead"
      end

      settings.each_key do |name|
        instead = UNSUPPORTED[name.to_sym]
        raise ArgumentError, "kvlight: #{name}: is not available in Ruby, whose code cannot run on other threads: #{instead}" if instead
      end
      unless delivery == :queue
        raise ArgumentError, "kvlight: delivery: must be :queue in Ruby, since a call from another thread would abort the interpreter"
      end
      raise ArgumentError, "kvlight: the provider is missing: a block that takes keys and returns { key => value }" unless provider
    end

    def check_callable(**functions)
      functions.each do |name, function|
        raise TypeError, "kvlight: #{name}: is an object with the method call, such as a Proc, not #{function.inspect[..60]}" unless function.nil? || function.respond_to?(:call)
      end
    end

    def open(settings)
      @engine = Engine.new(settings, @tier)
      # Whether a fetch without options starts with a lookup in the store.
      @reads_store_first = @engine.use { |tasks| Native.kvl_tasks_reads_store_first(tasks) != 0 }
      @providers = Workers.new("kvlight provider", @engine.max_requests)
      @callbacks = Workers.new("kvlight callbacks", 1)
      @backlog = Backlog.new(@engine.max_pending) if @dropped
      @tier_workers = Workers.new("kvlight second tier", @engine.max_tier_requests)
      @engine.start(self, [@providers, @callbacks, @tier_workers])
    end

    def key_of(key)
      key.is_a?(String) ? key : raise(TypeError, "kvlight: keys are Strings, not #{key.inspect}")
    end

    def keys_of(keys)
      raise TypeError, "kvlight: this takes an Array of Strings, or another Enumerable, not #{keys.inspect[..60]}" unless keys.respond_to?(:map)

      keys.map { |key| key_of(key) }
    end

    def bytes_value(bytes)
      Native.output { |out| Error.check(Native.kvl_value_new_bytes(bytes, bytes.bytesize, out)) }
    end

    def object_value(object)
      register(object) { |id, out| Native.kvl_value_new_object_on(@engine.queue, id, 0, 0, out) }
    end

    def error_value(error, message, retry_after_ms)
      flags = (error.is_a?(Permanent) ? ERROR_F_PERMANENT : 0) | (error.is_a?(Gone) ? ERROR_F_NO_STALE : 0)
      made = register(ProviderError.new(error)) do |id, out|
        Native.kvl_error_new_object(0, message, message.bytesize, flags, @engine.queue, id, 0, out)
      end
      Native.kvl_error_set_retry_after(made, retry_after_ms) if retry_after_ms
      made
    end

    # Returns the handle that the block creates for an object. The object stays in @objects until the library reports that it dropped the handle, or has
    # refused to create it.
    def register(object)
      id = @objects.put(object)
      Native.output { |out| Error.check(yield(id, out)) }
    rescue Error
      @objects.delete(id)
      raise
    end

    # The message of an error; the name of its class if `message` raises. A worker can be interrupted in `message`, as in a provider.
    def message_of(error)
      Workers.worker? ? Interrupts.on { String(error.message) } : String(error.message)
    rescue Exception # rubocop:disable Lint/RescueException
      error.class.name.to_s
    end

    # Saves or loads through the block, and returns the number of entries. Raises an Error with the library's message on failure.
    def transfer(path)
      path = File.path(path) # makes a String of a Pathname, and raises if it contains a NUL byte
      done = Fiddle::Pointer.malloc(Native::Transfer::SIZE, Fiddle::RUBY_FREE)
      Interrupts.off do
        status = nil
        error = Native.output { |out| status = in_cache { |cache| yield cache, path, 0, 0, done.to_i, Native::Transfer::SIZE, out } }
        Error.check(status, error.zero? ? nil : Native.text(Native.kvl_error_message(error)))
      ensure
        Native.kvl_error_release(error) if error
      end
      Native.read(Native::Transfer, done.to_i).entries
    end

    # Calls the block with the cache, a tag, and the address of an output parameter; returns what was written there.
    def change_tagged(tag)
      raise TypeError, "kvlight: tags are Strings, not #{tag.inspect}" unless tag.is_a?(String)

      Native.output { |out| with_cache { |cache| yield cache, tag, tag.bytesize, out } }
    end

    def with_cache(&call)
      Error.check(Interrupts.off { in_cache(&call) })
    end

    # Calls the block with a handle of the cache. The caller keeps interrupts off.
    def in_cache
      @engine.use do |tasks|
        cache = Native.output { |out| Error.check(Native.kvl_tasks_cache(tasks, out)) }
        yield(cache)
      ensure
        Native.kvl_cache_release(cache) if cache
      end
    end

    def with_options(options)
      return yield 0 if options.empty?

      Interrupts.off do
        handle = Native.output { |out| Error.check(Native.kvl_options_new(out)) }
        Settings.apply("kvl_options", handle, options)
        yield handle
      ensure
        Native.kvl_options_free(handle) if handle
      end
    end

    def begin_fetch(keys, options, block, single:)
      Interrupts.off do
        with_options(options) do |packed|
          handle = Native.output { |out| Error.check(Native.kvl_fetch_new(out)) }
          fetch = Fetch.new(self, handle, keys, block, single: single, must_load: must_load?(options))
          id = register_fetch(fetch)
          started = begin_native(packed, handle, id) { |*arguments| yield(*arguments) }
          fetch
        ensure
          unregister_fetch(id) if id && !started
          fetch&.release unless started
        end
      end
    end

    # Whether a fetch with these options loads every key, even if it is stored.
    def must_load?(options)
      read = options.transform_keys(&:to_sym)[:read]
      read.nil? ? !@reads_store_first : read.to_s == "refresh"
    end

    def begin_native(packed, handle, id)
      @engine.use do |tasks|
        @engine.ensure_pump
        Error.check(yield(tasks, packed, handle, id))
      end
    end

    # Waits for the fetch that the block starts, and returns what its method `name` returns. If the thread is interrupted by Timeout or killed, that cancels
    # the fetch.
    def outcome_of(name)
      fetch = nil
      Interrupts.off { fetch = yield }
      fetch.public_send(name)
    ensure
      fetch.cancel unless fetch.nil? || fetch.done?
    end

    def register_fetch(fetch)
      IN_PROGRESS_LOCK.synchronize do
        IN_PROGRESS[self] = true
        @fetches.put(fetch)
      end
    end

    def unregister_fetch(id)
      IN_PROGRESS_LOCK.synchronize do
        @fetches.delete(id)
        IN_PROGRESS.delete(self) if @fetches.empty?
      end
    end

    def settle(id, addresses)
      fetch = @fetches[id]
      return unless fetch

      results = addresses.map { |address| result_of(fetch.keys, Native.read(Native::Result, address)) }
      run = fetch.settle(results)
      call_back(&run) if run
      unregister_fetch(id)
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
      return if @dropped.nil? || value.is_a?(ProviderError)

      @backlog.add
      call_back(-> { @backlog.remove }) { @dropped.call(value) }
    end

    def start_request(address)
      keys = Native.keys_of(address).each { |key| key.force_encoding(@encoding) }
      request = Request.new(self, Native.kvl_request_retain(address), keys, @encoding)
      @providers.push(-> { request.provide(@provider) })
    rescue ThreadError => e
      request.fail_open_keys(e)
    end

    def serve(address)
      request = TierRequest.new(self, @tier, address, @encoding)
      @tier_workers.push(-> { request.serve })
    rescue ThreadError
      request.give_up
    end

    # Calls a block of the program on the thread for callbacks, and reports its exceptions. `done` is called at its end, however it ends.
    def call_back(done = nil, &job)
      @callbacks.push(lambda do
        Interrupts.on { job.call }
      rescue SystemExit
        raise # ends the program, as `exit` does in any thread
      rescue Exception => e # rubocop:disable Lint/RescueException
        report(e)
      ensure
        done&.call
      end)
    rescue ThreadError => e
      done&.call
      warn "kvlight: a block given to start, or `dropped:`, is not called: #{e.message}"
    end

    def report(error, what = "a block given to start, or `dropped:`,")
      Interrupts.on { @on_error ? @on_error.call(error) : warn("kvlight: #{what} raised #{text_of(error)}") }
    rescue SystemExit
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException
      warn "kvlight: `on_error:` raised #{text_of(e)}"
    end

    # The message of an error with its backtrace; the name of its class if `message` raises.
    def text_of(error)
      error.full_message
    rescue Exception # rubocop:disable Lint/RescueException
      error.class.name.to_s
    end
  end
end
