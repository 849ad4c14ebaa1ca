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

  # What became of one key. `status` is Kvlight::VALUE, NULL, MISS, INVALID_KEY or an error's; `source` is Kvlight::SOURCE_STORE
  # and the like.
  Result = Struct.new(:key, :value, :error, :status, :source, :attempts, keyword_init: true) do
    # The value, nil if there is none; raises what made it fail.
    def value!
      error ? raise(error) : value
    end
  end
end
