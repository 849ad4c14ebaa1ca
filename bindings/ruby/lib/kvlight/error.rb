# frozen_string_literal: true

module Kvlight
  # An error of the library. What a provider raises reaches every waiting caller unchanged.
  class Error < StandardError
    # The status, such as Kvlight::ERR_TIMEOUT.
    attr_reader :status

    # The exception of the last attempt, if one failed before the fetch timed out or was ended; otherwise nil.
    attr_reader :cause

    def initialize(status, message = nil, cause = nil)
      @status = status
      @cause = cause
      message = Native.text(Native.kvl_status_message(status)) if message.nil? || message.empty?
      super("#{name}: #{message}")
    end

    # The name of the status, such as "KVL_ERR_TIMEOUT".
    def name
      Native.text(Native.kvl_status_name(@status))
    end

    # Raises an exception as it is. Without a stated cause, a raise inside a rescue would make the rescued exception its cause, which all waiters would see.
    def self.pass(error)
      raise error, cause: Exception.instance_method(:cause).bind_call(error)
    end

    def self.check(status, message = nil)
      status.negative? ? raise(new(status, message)) : status
    end
  end

  # Raised by a provider, or returned in place of a value: the key is not retried, whatever the retry settings say.
  class Permanent < StandardError; end

  # Like Permanent, and an older value of the key is invalid too: the cache removes it, and it does not serve as a fallback (stale_ttl_ms).
  class Gone < Permanent; end

  # Raised by a provider, or returned in place of a value: a retry waits at least `after_ms`, like HTTP's Retry-After.
  class RetryAfter < StandardError
    attr_reader :after_ms

    def initialize(message = nil, after_ms:)
      pause = after_ms.is_a?(Numeric) ? after_ms : Integer(after_ms)
      raise ArgumentError, "kvlight: after_ms must be from 0 to 2**63 - 1, not #{pause}" unless (0...2**63).cover?(pause)

      # Rounded up, so that a short pause does not become 0.
      @after_ms = pause.ceil
      super(message)
    end
  end

  # The stored entry of a key that a provider is to load. `value` is nil if the key is known to be absent, `age_ms` the milliseconds since the value was
  # loaded, put, or found in the second tier, and `version` the version that was stored with it, "" if there was none.
  Stale = Struct.new(:value, :age_ms, :version, keyword_init: true)

  # What became of one key of a fetch. `status` is Kvlight::VALUE, NULL, MISS, INVALID_KEY or that of the error; `source` is one of Kvlight::SOURCE_*.
  # `age_ms` are the milliseconds since the value was loaded, put, or found in the second tier, `ttl_left_ms` those until it
  # expires: -1 for never, 0 if it is not stored.
  Result = Struct.new(:key, :value, :error, :status, :source, :attempts, :age_ms, :ttl_left_ms, :stale, keyword_init: true) do
    # Returns the value, or nil if there is no such record; raises the error of a key that failed.
    def value!
      status.negative? ? Error.pass(error) : value
    end

    # Whether the value has expired and is served as a fallback. `error` is then the error of the load, or nil if it took too long
    # (stale_timeout_ms).
    def stale?
      stale
    end
  end
end
