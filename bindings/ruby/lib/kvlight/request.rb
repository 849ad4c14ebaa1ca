# frozen_string_literal: true

module Kvlight
  # The second argument of a provider, to answer keys one by one, or later:
  #
  #   Kvlight::Tasks.new { |keys, request| keys.each { |key| request.resolve(key, load(key), ttl_ms: 5000) }; request.finish }
  class Request
    # The requested keys.
    attr_reader :keys

    def initialize(tasks, handle, keys)
      @tasks = tasks
      @handle = handle
      @keys = keys
      @positions = keys.each_with_index.to_h
      @lock = Mutex.new
      ObjectSpace.define_finalizer(self, Request.ending(handle))
    end

    # The finalizer: finishes a request that was dropped unfinished. Its open keys fail with KVL_ERR_UNANSWERED.
    def self.ending(handle)
      proc { Native.kvl_request_release(handle) }
    end

    # Answers one key; nil means that there is no such record. Terms are ttl_ms:, priority:, cost:, stale_ttl_ms:, version: and tags:,
    # as for Tasks#put. True if the answer was in time.
    def resolve(key, value, **terms)
      at = @positions.fetch(key)
      Settings.with_terms(**terms) do |stated|
        @tasks.with_value(value) { |handle| call { Native.kvl_request_resolve(_1, at, handle, stated) } }
      end == OK
    end

    # What the store has of a key, expired or not, as a Stale; nil if it has nothing.
    def stale(key)
      at = @positions.fetch(key)
      place = Fiddle::Pointer.malloc(32, Fiddle::RUBY_FREE)
      place[0, 32] = "\0" * 32
      status = call { Native.kvl_request_stale(_1, at, place.to_i, place.to_i + 8, place.to_i + 16) }
      return if status == MISS

      value, age_ms, data, length = place[0, 32].unpack("QqQQ")
      version = Native.bytes(data, length).force_encoding(Encoding::UTF_8)
      Stale.new(value: status == VALUE ? @tasks.shown(value) : nil, age_ms: age_ms, version: version)
    ensure
      Native.kvl_value_release(value) if value
    end

    # Answers one key with what stale returns: the record has not changed. The same value gets a new TTL, and keeps its version and its tags
    # unless the terms state others. True if the answer was in time; raises an Error with the status MISS if the store has nothing of the key.
    def not_modified(key, **terms)
      at = @positions.fetch(key)
      status = Settings.with_terms(**terms) { |stated| call { Native.kvl_request_not_modified(_1, at, stated) } }
      raise Error.new(MISS, "the store has nothing of the key #{key.inspect} that could be unmodified") if status == MISS

      status == OK
    end

    # Fails one key with an exception, which reaches every waiting caller unchanged.
    def fail(key, exception)
      at = @positions.fetch(key)
      @tasks.with_error(exception) { |handle| call { Native.kvl_request_fail(_1, at, handle) } == OK }
    end

    # Finishes the request: keys without an answer are null.
    def finish
      call { Native.kvl_request_finish_nulls(_1) }
      nil
    end

    # Finishes the request: keys without an answer fail with the exception.
    def finish_error(exception)
      @tasks.with_error(exception) { |handle| call { Native.kvl_request_finish_error(_1, handle) } }
      nil
    end

    # Answers all keys from { key => value }: a missing key is null, and an exception in place of a value fails that key.
    def answer(rows)
      stray = rows.respond_to?(:each_key) && rows.each_key.find { |key| !key.is_a?(String) }
      raise TypeError, "kvlight: keys are Strings, and the provider answered #{stray.inspect}" if stray

      @keys.each do |key|
        row = rows[key]
        row.is_a?(Exception) ? fail(key, row) : resolve(key, row) unless row.nil?
      end
      finish
    end

    # Whether no caller waits for the request any longer.
    def cancelled?
      call { Native.kvl_request_is_cancelled(_1) } != CANCEL_NO
    end

    # The number of a key's attempt, from 1.
    def attempt(key)
      at = @positions.fetch(key)
      call { Native.kvl_request_attempt(_1, at) }
    end

    # -- For Tasks ------------------------------------------------------------------------------------------------------

    # Runs the provider. A provider that returns a Hash has answered; one that takes the request may answer later. However it ends, even
    # if it is killed, the waiters of its keys are answered.
    def provide(provider)
      later = false
      rows = Thread.handle_interrupt(Object => :immediate) { called(provider).tap { answer(_1) if _1.respond_to?(:key?) } }
      later = !rows.respond_to?(:key?)
      raise TypeError, "kvlight: the provider returned #{rows.inspect[..60]}, and not a Hash" if later && !takes_request?(provider)
    rescue Exception => e # rubocop:disable Lint/RescueException
      give_up(e)
    else
      answered = true
    ensure
      give_up(ThreadError.new("kvlight: the provider's thread was killed")) unless answered || e
      release unless later && answered
    end

    # Fails the open keys, unless the request was finished or the cache closed meanwhile: then every waiter has its outcome.
    def give_up(exception)
      finish_error(exception)
    rescue Error
      nil
    end

    private

    # Calls the provider with the arguments that it accepts: a lambda checks their number.
    def called(provider)
      provider.arity == 1 ? provider.call(@keys) : provider.call(@keys, self)
    end

    # Whether the provider is given the request, and so can answer later.
    def takes_request?(provider)
      !provider.arity.between?(0, 1)
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
        Native.kvl_request_release(@handle)
        @handle = nil
      end
    end
  end
end
