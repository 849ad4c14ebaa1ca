# frozen_string_literal: true

module Kvlight
  # The second tier of `l2_url`: a connection to a Redis or Valkey server, by libkvlight_redis. It carries out requests by itself, so it has no methods
  # like those of a SecondTier.
  #
  # libkvlight_redis is linked with libkvlight. The loader gives it the copy that Native has loaded, since that has the soname it asks for.
  class RedisTier
    include Unique

    # The functions of kvlight_redis.h, with the types of their parameters and of their result.
    FUNCTIONS = {
      kvl_redis_open: [%i[VOIDP VOIDP VOIDP VOIDP], :INT32_T],
      kvl_redis_serve: [%i[UINTPTR_T UINTPTR_T VOIDP VOIDP], :INT32_T],
      kvl_redis_found_free: [%i[UINTPTR_T SIZE_T], :VOID],
      kvl_redis_attach: [%i[UINTPTR_T UINTPTR_T], :INT32_T],
      kvl_redis_state: [%i[UINTPTR_T VOIDP], :INT32_T],
      kvl_redis_stop: [%i[UINTPTR_T], :VOID],
      kvl_redis_free: [%i[UINTPTR_T], :VOID]
    }.freeze
    # A kvl_redis_found_t: index, data, len, ttl_left_ms, token, token_len.
    FOUND_FORMAT = "QQQqQQ"
    FOUND_SIZE = 48
    private_constant :FUNCTIONS, :FOUND_FORMAT, :FOUND_SIZE

    @lock = Mutex.new

    # The functions by their names. The first call loads the library; LoadError says where it was looked for.
    def self.functions
      @lock.synchronize do
        @functions ||= load_library.then do |library|
          FUNCTIONS.to_h do |name, (parameters, result)|
            # Serving waits for the server, so other threads may run meanwhile.
            [name, Fiddle::Function.new(library[name.to_s], Native::TYPES.values_at(*parameters), Native::TYPES.fetch(result), need_gvl: false)]
          end
        end
      end
    end

    def self.load_library
      failures = candidates.map do |path|
        return Fiddle.dlopen(path)
      rescue Fiddle::DLError => e
        "#{path} (#{e.message})"
      end
      raise LoadError, "kvlight: l2_url needs libkvlight_redis, which cannot be loaded: tried #{failures.join(', ')}. Build it by `make redis` in " \
                       "kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path."
    end

    # Where libkvlight_redis may be: the path in KVL_REDIS_LIBRARY; if that is not set, the gem, the system's library path, and the checkout that contains these files.
    def self.candidates
      return [ENV["KVL_REDIS_LIBRARY"]] unless ENV["KVL_REDIS_LIBRARY"].to_s.empty?

      extension = RbConfig::CONFIG["SOEXT"]
      name = "libkvlight_redis.#{extension}"
      in_gem = File.expand_path(name, __dir__)
      installed = extension == "dylib" ? name : "#{name}.#{VERSION[/\d+\.\d+/]}"
      [*(in_gem if File.exist?(in_gem)), installed, File.expand_path("../../../../target/redis/release/#{name}", __dir__)]
    end
    private_class_method :load_library, :candidates

    def initialize(url)
      raise TypeError, "kvlight: l2_url: is a String, not #{url.inspect}" unless url.is_a?(String)
      raise ArgumentError, "kvlight: l2_url: contains a NUL byte" if url.include?("\0")

      @functions = RedisTier.functions
      Interrupts.off { open(url) }
    end

    # Frees the connection when this object is collected. No thread is running one of its methods then.
    def self.finalizer(free, handle)
      proc { free.call(handle) }
    end

    def conditional? = true

    def leases? = true

    # From now on, keys that other processes write are invalidated in the engine, until stop.
    def attach(tasks)
      Error.check(call(:kvl_redis_attach, @handle, tasks))
    end

    # Ends the connection, which uses no engine afterwards. Waits for its thread.
    def stop
      call(:kvl_redis_stop, @handle)
    end

    # Has the server carry out a request. Calls the block for each object that was found, with the index of its key, its entry, the milliseconds that are
    # left of its TTL, and its token. Returns whether the server carried it out.
    def serve(request)
      memory = Fiddle::Pointer.malloc(16, Fiddle::RUBY_FREE)
      memory[0, 16] = "\0" * 16
      return false if call(:kvl_redis_serve, @handle, request, memory.to_i, memory.to_i + 8).negative?

      found, count = memory[0, 16].unpack("QQ")
      begin
        count.times do |nth|
          at, data, length, ttl_left_ms, token, token_length = Fiddle::Pointer.new(found + (nth * FOUND_SIZE))[0, FOUND_SIZE].unpack(FOUND_FORMAT)
          yield at, Native.bytes(data, length), ttl_left_ms, Native.bytes(token, token_length)
        end
      ensure
        call(:kvl_redis_found_free, found, count)
      end
      true
    end

    # The state of the connection, as a Hash with symbols: the members of kvl_redis_state.
    def state
      Native.json { |out| Error.check(call(:kvl_redis_state, @handle, out)) }
    end

    private

    def open(url)
      memory = Fiddle::Pointer.malloc(16, Fiddle::RUBY_FREE)
      memory[0, 16] = "\0" * 16
      status = call(:kvl_redis_open, url, 0, memory.to_i, memory.to_i + 8)
      @handle, error = memory[0, 16].unpack("QQ")
      Error.check(status, error.zero? ? nil : Native.text(Native.kvl_error_message(error)))
      ObjectSpace.define_finalizer(self, RedisTier.finalizer(@functions[:kvl_redis_free], @handle))
    ensure
      Native.kvl_error_release(error) if error
    end

    def call(name, *arguments)
      @functions[name].call(*arguments)
    end
  end
  private_constant :RedisTier
end
