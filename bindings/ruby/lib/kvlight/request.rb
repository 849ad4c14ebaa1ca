# frozen_string_literal: true

module Kvlight
  # The second argument of a provider, through which it can answer key by key, at any time:
  #
  #   Kvlight::Tasks.new { |keys, request| keys.each { |key| request.resolve(key, load(key), ttl_ms: 5000) }; request.finish }
  class Request
    include Unique

    # The requested keys, as frozen Strings. The provider may change the Array.
    attr_reader :keys

    def initialize(tasks, handle, keys, encoding)
      @tasks = tasks
      @handle = handle
      @keys = keys.each(&:freeze)
      @encoding = encoding
      @positions = keys.each_with_index.to_h
      @answered = {}
      @finished = false
      @lock = Mutex.new
      ObjectSpace.define_finalizer(self, Request.finalizer(handle))
    end

    # Returns a finalizer that releases the request. If it was never finished, that finishes it: its open keys fail with
    # KVL_ERR_UNANSWERED, or are null with batch.omitted_is_null.
    def self.finalizer(handle)
      proc { Native.kvl_request_release(handle) }
    end

    # Answers one key; nil means that there is no such record. Terms are ttl_ms:, priority:, cost:, stale_ttl_ms:, version: and tags:,
    # as for Tasks#put. Returns whether the answer was in time, and the first one for its key, which counts.
    def resolve(key, value, **terms)
      at = position_of(key)
      Settings.with_terms(**terms) do |packed|
        @tasks.with_value(value) { |handle| answer_one(at) { Native.kvl_request_resolve(_1, at, handle, packed) } }
      end == OK
    end

    # Returns the stored entry of a key, expired or not, as a Stale, or nil if there is none.
    def stale(key)
      at = position_of(key)
      Interrupts.off { read_stale(at) }
    end

    # Answers one key with the value that stale returns: the record has not changed. The value gets a new TTL, and keeps its version and tags
    # unless the terms state others. Returns the same as resolve; raises an Error with the status MISS if there is no entry and no earlier answer.
    def not_modified(key, **terms)
      at = position_of(key)
      status = Settings.with_terms(**terms) { |packed| answer_one(at) { Native.kvl_request_not_modified(_1, at, packed) } }
      # A key that has an answer already need not have an entry in the store.
      if status == MISS && !@answered[at] && !@finished
        raise Error.new(MISS, "not_modified needs an entry, and the store has none for the key #{key.inspect}")
      end

      status == OK
    end

    # Fails one key with an exception, which reaches every waiting caller unchanged. Returns the same as resolve.
    def fail(key, exception)
      at = position_of(key)
      @tasks.with_error(exception) { |handle| answer_one(at) { Native.kvl_request_fail(_1, at, handle) } == OK }
    end

    # Finishes the request: keys without an answer are null. If it is finished already, this does nothing.
    def finish
      end_by { Native.kvl_request_finish_nulls(_1) }
    end

    # Finishes the request: keys without an answer fail with the exception. If it is finished already, this does nothing.
    def finish_error(exception)
      @tasks.with_error(exception) { |handle| end_by { Native.kvl_request_finish_error(_1, handle) } }
    end

    # Answers all keys from { key => value }: a missing key is null, and an exception in place of a value fails that key.
    def answer(rows)
      rows = Rows.new(rows, @positions, @encoding, "the provider")
      @positions.each_key do |key|
        row = rows[key]
        row.is_a?(Exception) ? fail(key, row) : resolve(key, row) unless row.nil?
      end
      finish
    end

    # Whether the request is no longer wanted: no caller waits for it, its attempt has timed out, or the engine is closing.
    def cancelled?
      call { Native.kvl_request_is_cancelled(_1) } != CANCEL_NO
    end

    # Which attempt to load the key this is: 1 for the first.
    def attempt(key)
      at = position_of(key)
      call { Native.kvl_request_attempt(_1, at) }
    end

    # -- For Tasks ------------------------------------------------------------------------------------------------------

    # Calls the provider. A provider that returns a Hash has answered; one that takes the request may answer later. However the call ends, even
    # if its thread is killed, everyone who waits for its keys gets an outcome.
    def provide(provider)
      as_current { call_and_answer(provider) }
    end

    # The request whose provider the calling thread runs, or nil.
    def self.current
      Thread.current.thread_variable_get(:kvlight_request)
    end

    # Refuses a wait of the provider that could never end: for a key that it is loading itself, or for one that needs the slot that this request holds.
    def check_wait(tasks, fetch)
      return if @finished
      return unless tasks.equal?(@tasks) && holds_slot? && !fetch.settled?

      if (own = fetch.keys.find { |key| open?(key) && (fetch.keys.size == 1 || fetch.must_load? || !tasks.stored?(key)) })
        raise Error.new(ERR_REENTRANT, "the provider waits for the key #{own.inspect[..60]}, which it is loading itself")
      elsif tasks.single_slot?
        raise Error.new(ERR_REENTRANT, "the provider waits for a key that needs the only slot, which its own request holds: raise tasks.max_running")
      end
    end

    # Fails the open keys. If the cache is closed, every waiter has its outcome already.
    def fail_open_keys(exception)
      finish_error(exception)
    rescue Error
      nil
    end

    private

    def call_and_answer(provider)
      later = false
      rows = Interrupts.on { call_provider(provider) }
      later = !rows.respond_to?(:key?)
      answer(rows) unless later
      raise TypeError, "kvlight: the provider must return a Hash, not #{rows.inspect[..60]}" if later && !takes_request?(provider)
    rescue Exception => e # rubocop:disable Lint/RescueException
      fail_open_keys(e)
      failed = true
    else
      answered = true
    ensure
      fail_open_keys(ThreadError.new("kvlight: the provider's thread was killed")) unless answered || failed
      release unless later && answered
    end

    # Methods that the provider's answer calls, such as the message of an exception, must not wait for its keys either.
    def as_current
      Thread.current.thread_variable_set(:kvlight_request, self)
      yield
    ensure
      Thread.current.thread_variable_set(:kvlight_request, nil)
    end

    # Whether the request is still wanted, and so still holds its slot. Otherwise another attempt may be loading its keys.
    def holds_slot?
      @lock.synchronize { !@handle.nil? && Native.kvl_request_is_cancelled(@handle) == CANCEL_NO }
    end

    def open?(key)
      at = @positions[key] || @positions[key.dup.force_encoding(@encoding)]
      at && !@answered[at]
    end

    # Answers the key at a position, unless there is no entry for not_modified.
    def answer_one(at, &answer)
      status = answer_status(&answer)
      @answered[at] = true unless status == MISS
      status
    end

    # Finishes the request through the block.
    def end_by(&finish)
      @finished = true unless answer_status(&finish).negative?
      nil
    end

    # Calls the provider. A lambda or a method that takes only the keys would raise if it were given the request too. A block ignores a second argument, and
    # needs one: with a single argument, a block with |keys,| or |keys, **options| would take the Array of keys apart and receive only the first.
    def call_provider(provider)
      provider.lambda? && !takes_request?(provider) ? provider.call(@keys) : provider.call(@keys, self)
    end

    # Whether the provider takes the request, and so can answer later.
    def takes_request?(provider)
      kinds = provider.parameters.map(&:first)
      kinds.include?(:rest) || kinds.count(:req) + kinds.count(:opt) > 1
    end

    # The position of a key; raises KeyError if it was not requested.
    def position_of(key)
      @positions.fetch(key) do
        @positions.fetch(key.is_a?(String) ? key.dup.force_encoding(@encoding) : key) do
          raise KeyError.new("kvlight: the key #{key.inspect[..60]} is not one of this request", receiver: @positions, key: key)
        end
      end
    end

    def read_stale(at)
      memory = Fiddle::Pointer.malloc(32, Fiddle::RUBY_FREE)
      memory[0, 32] = "\0" * 32
      status = call { Native.kvl_request_stale(_1, at, memory.to_i, memory.to_i + 8, memory.to_i + 16) }
      return if status == MISS

      value, age_ms, data, length = memory[0, 32].unpack("QqQQ")
      version = Native.bytes(data, length).force_encoding(Encoding::UTF_8)
      Stale.new(value: status == VALUE ? @tasks.value_in(value) : nil, age_ms: age_ms, version: version)
    ensure
      Native.kvl_value_release(value) if value
    end

    # The status of an answer, which may be ERR_ALREADY_ANSWERED: the first answer counts, and a later one is no error.
    def answer_status
      @lock.synchronize do
        next ERR_ALREADY_ANSWERED unless @handle

        status = yield(@handle)
        status == ERR_ALREADY_ANSWERED ? status : Error.check(status)
      end
    end

    def call
      @lock.synchronize do
        raise Error, ERR_ALREADY_ANSWERED unless @handle

        Error.check(yield(@handle))
      end
    end

    def release
      @lock.synchronize do
        next unless @handle

        ObjectSpace.undefine_finalizer(self)
        handle, @handle = @handle, nil
        Native.kvl_request_release(handle)
      end
    end
  end
end
