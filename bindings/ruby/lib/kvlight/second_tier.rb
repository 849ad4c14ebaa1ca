# frozen_string_literal: true

module Kvlight
  # A second tier: a store in which keys are looked up before the provider is called, and which receives what was loaded and put. Several
  # processes may share one. This class documents its methods; any object with these methods can be one. They are called on worker threads, several at
  # a time. A method that raises, or returns something wrong, has failed: then the provider is called, and what was to be written is
  # written again. No caller of the cache sees the error; `on_error:` is called with it.
  class SecondTier
    # What is to be stored under a key: `data` as it is, for `ttl_ms` milliseconds from now on (-1: it does not expire). An entry that is kept
    # longer never expires, since each hit begins its TTL anew. In a fill, `token` is the token that the read of the key returned.
    Entry = Struct.new(:key, :data, :ttl_ms, :token, keyword_init: true)
    # A key that was found: the `data` of its entry; the milliseconds that are left of its TTL (-1: the second tier does not expire it; -2 or nil:
    # not known; in either case the TTL with which it was written begins anew); and a token that identifies this version of it, for a fill to replace it.
    Hit = Struct.new(:data, :ttl_left_ms, :token, keyword_init: true)
    # A key that was not found, with the lease if one was granted.
    Vacant = Struct.new(:token, keyword_init: true)
    # A key that was not found and whose lease another process has: it is looked up again, for at most l2_wait_ms.
    LEASED = Object.new.freeze

    # Whether fill stores an entry only if its token still belongs to the key.
    def conditional? = false

    # Whether read grants a lease (a token) for a key without an entry, to one reader at a time. If the tier is conditional too, no older load ever replaces
    # a newer write, in whichever process.
    def leases? = false

    # Looks keys up. Returns { key => Hit, Vacant or LEASED }; a String stands for a Hit with that `data`, an exception fails its key, and a key left out was
    # not found.
    def read(_keys) = raise(NotImplementedError)

    # Stores what was loaded. If the tier is conditional, stores only an entry whose token still belongs to its key, and returns for each entry whether it
    # was stored.
    def fill(_entries) = raise(NotImplementedError)

    # Stores what was put.
    def write(_entries) = raise(NotImplementedError)

    # Removes keys, some of which may not exist.
    def remove(_keys) = raise(NotImplementedError)

    # Removes all keys.
    def clear = raise(NotImplementedError)
  end

  # The second tier of an engine, with the functions that make Strings of objects and objects of Strings.
  class AttachedTier
    METHODS = { L2_READ => :read, L2_FILL => :fill, L2_WRITE => :write, L2_REMOVE => :remove, L2_CLEAR => :clear }.freeze
    private_constant :METHODS

    attr_reader :tier

    def initialize(tier, dump, load)
      missing = METHODS.values.find { |name| !tier.respond_to?(name) } unless tier.is_a?(RedisTier)
      raise ArgumentError, "kvlight: a second tier needs a method #{missing}, and #{tier.class} has none" if missing
      raise ArgumentError, "kvlight: dump: and load: go together: the one reads what the other wrote" unless dump.nil? == load.nil?

      @tier = tier
      @dump = dump
      @load = load
    end

    # The flags that state its abilities to the library.
    def abilities
      asked = { conditional?: L2_F_CONDITIONAL, leases?: L2_F_LEASES }
      asked.sum { |name, ability| @tier.respond_to?(name) && @tier.public_send(name) ? ability : 0 } | L2_F_OBJECTS
    end

    # The tier, if it is a connection to a server, which carries out requests by itself.
    def server
      @tier if @tier.is_a?(RedisTier)
    end

    # Calls the method for a kind of request.
    def call(kind, *arguments)
      Interrupts.on { @tier.public_send(METHODS.fetch(kind), *arguments) }
    end

    # Returns the String that stands for an object, or nil without such a function.
    def dump(object)
      Interrupts.on { @dump.call(object) } if @dump
    end

    # Returns the object that a String stands for, or nil without such a function.
    def load(bytes)
      Interrupts.on { @load.call(bytes) } if @load
    end
  end

  # A request for the second tier, for Tasks.
  class TierRequest
    include Unique

    def initialize(tasks, attached, handle, encoding)
      @tasks = tasks
      @attached = attached
      @handle = Native.kvl_l2_request_retain(handle)
      @kind = Native.kvl_l2_request_kind(handle)
      count = Native.kvl_l2_request_len(handle)
      slices = count.zero? ? [] : Fiddle::Pointer.new(Native.kvl_l2_request_keys(handle))[0, count * Native::Slice::SIZE].unpack("Q*")
      @keys = slices.each_slice(2).map { |data, length| Native.bytes(data, length).force_encoding(encoding) }
      @encoding = encoding
    end

    # Serves the request, and ends it in any case, even if the thread is killed.
    def serve
      is_done = @attached.server ? serve_by_server(@attached.server) : (serve_by_tier || true)
    rescue Exception => e # rubocop:disable Lint/RescueException
      @tasks.tier_failed(e)
    ensure
      # Finishing a read fails its keys without an answer. A request of another kind fails as a whole if it is released unfinished.
      Native.kvl_l2_request_finish(@handle) if is_done || @kind == L2_READ
      Native.kvl_l2_request_release(@handle)
    end

    # Fails the request without serving it.
    def give_up
      Native.kvl_l2_request_release(@handle)
    end

    private

    def serve_by_tier
      case @kind
      when L2_READ then answer_read(@attached.call(@kind, @keys.map(&:dup)))
      when L2_FILL, L2_WRITE then store
      when L2_REMOVE then @attached.call(@kind, @keys.map(&:dup))
      when L2_CLEAR then @attached.call(@kind)
      end
    end

    # Serves the request from a Redis or Valkey server. Returns false if the server fails, which is not reported: then a read is a miss, and a write is
    # sent again.
    def serve_by_server(server)
      # `count`, unlike `any?`, encodes every value.
      return true if [L2_FILL, L2_WRITE].include?(@kind) && @keys.each_index.count { |at| encode(at) }.zero?

      server.serve(@handle) { |*found| hit(*found) }
    end

    # Checks the status of an answer. An answer that comes late or after the close is not the second tier's fault.
    def check_answer(status)
      Error.check(status) unless [ERR_ALREADY_ANSWERED, ERR_CLOSED].include?(status)
    end

    def answer_read(rows)
      raise TypeError, "kvlight: read returns a Hash, not #{rows.inspect[..60]}" unless rows.respond_to?(:key?)

      positions = @keys.each_with_index.to_h
      rows = Rows.new(rows, positions, @encoding, "read")
      positions.each { |key, at| answer(at, rows[key]) }
    end

    def answer(at, row)
      case row
      when SecondTier::Hit then hit(at, row.data, row.ttl_left_ms || L2_TTL_UNKNOWN, row.token || "")
      when String then hit(at, row, L2_TTL_UNKNOWN, "")
      when nil then miss(at, "")
      when SecondTier::Vacant then miss(at, row.token || "")
      when SecondTier::LEASED then check_answer(Native.kvl_l2_request_leased(@handle, at))
      when Exception then @tasks.tier_failed(row)
      else raise TypeError, "kvlight: read answers with Hit, Vacant, LEASED, a String, nil or an exception, not #{row.inspect[..60]}"
      end
    end

    def check_token(token)
      raise TypeError, "kvlight: a token is a String, not #{token.inspect[..60]}" unless token.is_a?(String)
    end

    def miss(at, token)
      check_token(token)
      check_answer(Native.kvl_l2_request_miss(@handle, at, token, token.bytesize))
    end

    def hit(at, data, ttl_left_ms, token)
      raise TypeError, "kvlight: the data of a Hit is a String, not #{data.inspect[..60]}" unless data.is_a?(String)
      check_token(token)
      Settings.whole(ttl_left_ms, :ttl_left_ms)

      status, size = payload_of(at, data)
      return if status == OK && hit_object(at, data, size, ttl_left_ms, token)

      # Bytes and nulls are in the entry itself. Without data the key is a miss.
      length = [VALUE, NULL].include?(status) ? data.bytesize : 0
      check_answer(Native.kvl_l2_request_hit(@handle, at, data, length, ttl_left_ms, token, token.bytesize))
    end

    # Returns what an entry contains (OK: an object; VALUE: bytes; NULL: a null; MISS: it is no entry) and, for an object, how many bytes at its end stand
    # for the object.
    def payload_of(at, data)
      place = Fiddle::Pointer.malloc(16, Fiddle::RUBY_FREE)
      status = Native.kvl_l2_request_payload(@handle, at, data, data.bytesize, place.to_i, place.to_i + 8)
      check_answer(status)
      [status, place[8, 8].unpack1("Q")]
    end

    # Answers with the object that the last `size` bytes of an entry stand for. Returns false if none can be made of them.
    def hit_object(at, data, size, ttl_left_ms, token)
      object = @attached.load(data.byteslice(data.bytesize - size, size))
      return false if object.nil?

      @tasks.with_object(object) do |value|
        check_answer(Native.kvl_l2_request_hit_object(@handle, at, data, data.bytesize, ttl_left_ms, token, token.bytesize, value))
      end
      true
    rescue StandardError => e
      is_late = @tasks.closed? && e.is_a?(Error) && e.status == ERR_CLOSED
      @tasks.tier_failed(e) unless is_late
      false
    end

    # Has the tier store the entries. A value that cannot be converted to bytes is refused and left out.
    def store
      indexes = @keys.each_index.select { |at| encode(at) }
      return if indexes.empty?

      stored = @attached.call(@kind, indexes.map { |at| entry(at) })
      return if @kind == L2_WRITE || stored.nil?
      raise TypeError, "kvlight: fill returned #{stored.inspect[..60]} for #{indexes.size} entries" unless stored.is_a?(Array) && stored.size == indexes.size

      indexes.zip(stored) { |at, is_stored| check_answer(Native.kvl_l2_request_refused(@handle, at)) unless is_stored }
    end

    # Sets the bytes of a value, if it is an object. Returns whether the value can be stored; if not, it is refused.
    def encode(at)
      status = nil
      value = Native.output { |out| status = check_answer(Native.kvl_l2_request_value(@handle, at, out)) }
      return true if status != VALUE || Native.kvl_value_object(value).zero?

      bytes = @attached.dump(@tasks.value_in(value))
      raise TypeError, "kvlight: dump: returns a String, not #{bytes.inspect[..60]}" unless bytes.nil? || bytes.is_a?(String)

      check_answer(Native.kvl_l2_request_set_payload(@handle, at, bytes, bytes.bytesize)) if bytes
      check_answer(Native.kvl_l2_request_refused(@handle, at)) unless bytes
      !bytes.nil?
    rescue StandardError => e
      @tasks.tier_failed(e)
      check_answer(Native.kvl_l2_request_refused(@handle, at))
      false
    ensure
      Native.kvl_value_release(value) if value && !value.zero?
    end

    def entry(at)
      place = Fiddle::Pointer.malloc(40, Fiddle::RUBY_FREE)
      outs = [0, 8, 16, 24, 32].map { |offset| place.to_i + offset }
      Error.check(Native.kvl_l2_request_entry(@handle, at, *outs))
      data, length, ttl_ms, token, token_length = place[0, 40].unpack("QQqQQ")
      SecondTier::Entry.new(key: @keys[at], data: Native.bytes(data, length), ttl_ms: ttl_ms, token: Native.bytes(token, token_length))
    end
  end
  private_constant :AttachedTier, :TierRequest
end
