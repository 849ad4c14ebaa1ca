# frozen_string_literal: true

module Kvlight
  # An error of the library. An exception that a provider raises reaches every waiting caller unchanged.
  class Error < StandardError
    # The status, for example Kvlight::ERR_TIMEOUT.
    attr_reader :status

    # The exception of the provider's last attempt before the timeout or the end of the fetch; nil if no attempt had failed.
    attr_reader :cause

    def initialize(status, message = nil, cause = nil)
      @status = status
      @cause = cause
      message = Native.text(Native.kvl_status_message(status)) if message.nil? || message.empty?
      super("#{name}: #{message}")
    end

    # The name of the status, for example "KVL_ERR_TIMEOUT".
    def name
      Native.text(Native.kvl_status_name(@status))
    end

    def self.check(status, message = nil)
      status.negative? ? raise(new(status, message)) : status
    end
  end

  # Raised by a provider, or returned in place of a value: the key is not retried, whatever the retry settings say.
  class Permanent < StandardError; end

  # Like Permanent, but an older value is invalid too: it is removed from the cache and not served as a fallback (stale_ttl_ms).
  class Gone < Permanent; end

  # Raised by a provider, or returned in place of a value: a retry waits at least `after_ms`, like HTTP's Retry-After.
  class RetryAfter < StandardError
    attr_reader :after_ms

    def initialize(message = nil, after_ms:)
      @after_ms = Integer(after_ms)
      raise ArgumentError, "kvlight: after_ms is not below 0" if @after_ms.negative?

      super(message)
    end
  end

  # What the store has of a key that a provider is asked for: the value, nil if the key is known to be absent; the time since it was loaded
  # or put; and the version that was stated with it, "" if none was.
  Stale = Struct.new(:value, :age_ms, :version, keyword_init: true)

  # The result of one key. `status` is Kvlight::VALUE, NULL, MISS, INVALID_KEY or an error's; `source` is one of Kvlight::SOURCE_*.
  # `age_ms` is the time since the value was loaded or put, `ttl_left_ms` the time until it expires; -1: never, 0: it is not stored.
  Result = Struct.new(:key, :value, :error, :status, :source, :attempts, :age_ms, :ttl_left_ms, :stale, keyword_init: true) do
    # The value, nil if there is no such record; raises the error of a key that failed.
    def value!
      status.negative? ? raise(error) : value
    end

    # Whether the value has expired and is served as a fallback. `error` is then the error of the load, nil if it took too long
    # (stale_timeout_ms).
    def stale?
      stale
    end
  end
end
