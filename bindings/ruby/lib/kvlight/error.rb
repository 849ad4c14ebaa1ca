# frozen_string_literal: true

module Kvlight
  # An error of the library's. What a provider raises arrives as it is, at everybody who waited.
  class Error < StandardError
    # Kvlight::ERR_TIMEOUT and the like.
    attr_reader :status

    # What the provider's last attempt had failed with when time ran out or the fetch was ended; nil if no attempt had failed.
    attr_reader :cause

    def initialize(status, message = nil, cause = nil)
      @status = status
      @cause = cause
      message = Native.text(Native.kvl_status_message(status)) if message.nil? || message.empty?
      super("#{name}: #{message}")
    end

    # "KVL_ERR_TIMEOUT"
    def name
      Native.text(Native.kvl_status_name(@status))
    end

    def self.check(status, message = nil)
      status.negative? ? raise(new(status, message)) : status
    end
  end

  # Put in a key's place by a provider, or raised: that trying again is pointless, whatever the retry settings say.
  class Permanent < StandardError; end

  # As Permanent, where an older value is worth nothing either: no fallback serves in its place (stale_ttl_ms), and it leaves the cache.
  class Gone < Permanent; end

  # Put in a key's place by a provider, or raised: a retry waits at least `after_ms`, as HTTP's Retry-After asks.
  class RetryAfter < StandardError
    attr_reader :after_ms

    def initialize(message = nil, after_ms:)
      @after_ms = Integer(after_ms)
      raise ArgumentError, "kvlight: after_ms is not below 0" if @after_ms.negative?

      super(message)
    end
  end

  # What became of one key. `status` is Kvlight::VALUE, NULL, MISS, INVALID_KEY or an error's; `source` is Kvlight::SOURCE_STORE
  # and the like. `age_ms` is the time since it was loaded or put, `ttl_left_ms` that until its end: -1 for ever, 0 if it is not stored.
  Result = Struct.new(:key, :value, :error, :status, :source, :attempts, :age_ms, :ttl_left_ms, :stale, keyword_init: true) do
    # The value, nil if there is none; raises what made it fail.
    def value!
      status.negative? ? raise(error) : value
    end

    # Whether its end is over, and it serves because there was nothing better. `error` is then what the load failed with, nil if it takes too
    # long (stale_timeout_ms).
    def stale?
      stale
    end
  end
end
