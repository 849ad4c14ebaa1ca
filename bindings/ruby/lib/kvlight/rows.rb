# frozen_string_literal: true

module Kvlight
  # What a provider, or a second tier, has returned for its keys. Keys are the same if their bytes are. A Hash, however, takes Strings of different encodings
  # for different keys, and one that compares by identity also takes a copy for a different key.
  class Rows
    # `wanted` is a Hash whose keys are the requested keys, and `source` says what has returned `rows`.
    def initialize(rows, wanted, encoding, source)
      @rows = rows
      @encoding = encoding
      @others = nil
      @source = source
      rows.each_key { |key| check(key, wanted) } if rows.respond_to?(:each_key)
    end

    # Returns the row of a requested key, or nil if there is none.
    def [](key)
      row = @rows[key]
      row.nil? && @others ? @others[key] : row
    end

    private

    def check(key, wanted)
      raise TypeError, "kvlight: keys are Strings, but #{@source} returned the key #{key.inspect[..60]}" unless key.is_a?(String)
      return if found_by_hash?(key)

      same = key.dup.force_encoding(@encoding)
      return (@others ||= {})[same] = @rows[key] if wanted.key?(same)
      return unless wanted.key?(transcoded(key))

      raise TypeError, "kvlight: #{@source} returned the key #{key.inspect[..60]} in #{key.encoding}, where its bytes are not those of the requested key"
    end

    def found_by_hash?(key)
      (key.encoding == @encoding || (key.ascii_only? && @encoding.ascii_compatible?)) && !by_identity?
    end

    def by_identity?
      @by_identity = @rows.respond_to?(:compare_by_identity?) && @rows.compare_by_identity? if @by_identity.nil?
      @by_identity
    end

    def transcoded(key)
      key.encode(@encoding)
    rescue EncodingError
      nil
    end
  end
  private_constant :Rows
end
