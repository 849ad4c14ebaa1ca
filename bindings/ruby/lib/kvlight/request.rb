# frozen_string_literal: true

module Kvlight
  # What a provider may take as its second argument, to answer keys one by one, or later:
  #
  #   Kvlight::Tasks.new { |keys, request| keys.each { |key| request.resolve(key, load(key), ttl_ms: 5000) }; request.finish }
  class Request
    # The keys that are asked for.
    attr_reader :keys

    def initialize(tasks, handle, keys)
      @tasks = tasks
      @handle = handle
      @keys = keys
      @positions = keys.each_with_index.to_h
      ObjectSpace.define_finalizer(self, Request.ending(handle))
    end

    # A request that is forgotten is finished, so that nobody waits for ever.
    def self.ending(handle)
      proc { Native.kvl_request_release(handle) }
    end

    # Answers one key; nil is "there is no such record". `terms` are ttl_ms, priority, cost. True if it came in time.
    def resolve(key, value, **terms)
      at = @positions.fetch(key)
      @tasks.with_value(value) do |handle|
        Error.check(Native.kvl_request_resolve(@handle, at, handle, Native.stated(**terms))) == Native::KVL_OK
      end
    end

    # Fails one key with an exception, which arrives as it is at everybody who waits.
    def fail(key, exception)
      at = @positions.fetch(key)
      @tasks.with_error(exception) { |handle| Error.check(Native.kvl_request_fail(@handle, at, handle)) == Native::KVL_OK }
    end

    # Finishes: what has no answer is null.
    def finish
      Error.check(Native.kvl_request_finish_nulls(@handle))
      nil
    end

    # Finishes: what has no answer fails.
    def finish_error(exception)
      @tasks.with_error(exception) { |handle| Error.check(Native.kvl_request_finish_error(@handle, handle)) }
      nil
    end

    # Answers all keys from { key => value }; what it lacks is null, an exception in a value's place fails that key.
    def answer(rows)
      @keys.each do |key|
        row = rows[key]
        row.is_a?(Exception) ? fail(key, row) : resolve(key, row) unless row.nil?
      end
      finish
    end

    # Whether nobody waits for it any more.
    def cancelled?
      Native.kvl_request_is_cancelled(@handle) != Native::KVL_CANCEL_NO
    end

    # Which attempt a key is in, from 1.
    def attempt(key)
      Native.kvl_request_attempt(@handle, @positions.fetch(key))
    end

    # Runs the provider. One that returns a Hash has answered; one that returns the request answers later.
    def provide(provider)
      # A lambda counts its arguments.
      rows = provider.arity == 1 ? provider.call(@keys) : provider.call(@keys, self)
      answer(rows) if rows.respond_to?(:key?)
    rescue Exception => e # rubocop:disable Lint/RescueException
      # Whatever it was, those who wait must hear of it; a cache that was closed meanwhile has told them.
      begin
        finish_error(e)
      rescue Error
        nil
      end
    end
  end
end
